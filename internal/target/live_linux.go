package target

import (
	"github.com/ring3-go/ring3/internal/procfs"
)

// Descendants returns the processes that pid started, and theirs, as far as they live now: children of
// every thread, breadth first, without pid itself. A process whose parent has gone is not found.
func Descendants(pid int) ([]int, error) {
	var all []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		tids, err := procfs.Tasks(queue[0])
		if err != nil && !procfs.Gone(err) {
			return all, err
		}
		for _, tid := range tids {
			children, err := procfs.Children(queue[0], tid)
			if err != nil && !procfs.Gone(err) {
				return all, err
			}
			all = append(all, children...)
			queue = append(queue, children...)
		}
	}
	return all, nil
}
