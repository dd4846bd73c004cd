package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaDir = "../../docs/json"

// kinds are the records that there are.
var kinds = []string{"run", "faults", "switches", "vma", "page", "lesson", "code", "step", "bench", "exception", "doctor", "error"}

var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled := map[string]*jsonschema.Schema{}
	for _, kind := range kinds {
		s, err := compiler.Compile(filepath.Join(schemaDir, kind+".schema.json"))
		if err != nil {
			return nil, err
		}
		compiled["ring3/"+kind+"/v1"] = s
	}
	return compiled, nil
})

// validateRecord checks a record against the schema that it names, and returns that name.
func validateRecord(t *testing.T, line []byte) string {
	t.Helper()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	record, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	fields, _ := record.(map[string]any)
	kind, _ := fields["schema"].(string)
	schema, ok := all[kind]
	if !ok {
		t.Fatalf("no schema for %s", line)
	}
	if err := schema.Validate(record); err != nil {
		t.Errorf("%v\n%s", err, line)
	}
	return kind
}

// TestSchemasDescribeEveryField walks through the schemas as they stand.
func TestSchemasDescribeEveryField(t *testing.T) {
	files, err := filepath.Glob(schemaDir + "/*.schema.json")
	if err != nil || len(files) != len(kinds) {
		t.Fatalf("%q, %v; want one schema for each of %q", files, err, kinds)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $schema is %v", file, schema["$schema"])
		}
		wantDescribed(t, filepath.Base(file), schema)
	}
}

func wantDescribed(t *testing.T, at string, node any) {
	t.Helper()
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			wantDescribed(t, at, child)
		}
	case map[string]any:
		fields, isObject := node["properties"].(map[string]any)
		if isObject && node["additionalProperties"] != false {
			t.Errorf("%s: allows fields that it does not name", at)
		}
		for name, field := range fields {
			field := field.(map[string]any)
			text, _ := field["description"].(string)
			_, elsewhere := field["$ref"]
			if text == "" && !elsewhere {
				t.Errorf("%s/%s: not described", at, name)
			}
			if strings.HasSuffix(name, "_ns") && !strings.Contains(text, "in nanoseconds") {
				t.Errorf("%s/%s: unit not in %q", at, name, text)
			}
		}
		for key, child := range node {
			wantDescribed(t, at+"/"+key, child)
		}
	}
}

// TestSchemasAreStrict breaks a record in each way that a schema should notice.
func TestSchemasAreStrict(t *testing.T) {
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"schema":"ring3/error/v1","error":"x","exit_code":1}`
	for line, valid := range map[string]bool{
		good: true,
		strings.Replace(good, "}", `,"more":1}`, 1):      false,
		strings.Replace(good, `"error":"x",`, "", 1):     false,
		strings.Replace(good, ":1}", `:"1"}`, 1):         false,
		strings.Replace(good, ":1}", ":-1}", 1):          false,
		strings.Replace(good, "error/v1", "error/v2", 1): false,
	} {
		record, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := all["ring3/error/v1"].Validate(record); (err == nil) != valid {
			t.Errorf("%s: %v; want valid %v", line, err, valid)
		}
	}
}
