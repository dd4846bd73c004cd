package syscalls

func archRefusals() []refusal { return nil }
