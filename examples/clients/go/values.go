package dagrpc

import (
	"encoding/json"
	"fmt"

	pb "dagrpc.dev/go/dagrpc/v1"
)

// Accepted encodings of results, best first.
var accepted = []string{"json", "raw"}

// Call is a function's name with its arguments: values that encoding/json encodes, []byte, or a Task.
type Call struct {
	// Key names the task on the cluster; empty: any.
	Key string
	// Function is a name that workers export.
	Function       string
	Arguments      []any
	NamedArguments map[string]any
	Options        *pb.TaskOptions
}

// Task as an argument is the result of the task with this key, whoever submitted it.
type Task string

func (c Call) message() (*pb.NamedCall, error) {
	call := &pb.Call{Entrypoint: c.Function}
	for _, value := range c.Arguments {
		encoded, err := argument(value)
		if err != nil {
			return nil, err
		}
		call.Arguments = append(call.Arguments, encoded)
	}
	for name, value := range c.NamedArguments {
		encoded, err := argument(value)
		if err != nil {
			return nil, err
		}
		if call.KeywordArguments == nil {
			call.KeywordArguments = map[string]*pb.Argument{}
		}
		call.KeywordArguments[name] = encoded
	}
	return &pb.NamedCall{Key: c.Key, Call: call, Options: c.Options}, nil
}

func argument(value any) (*pb.Argument, error) {
	payload := &pb.Payload{Encoding: "raw"}
	switch value := value.(type) {
	case Task:
		return &pb.Argument{Source: &pb.Argument_Task{Task: string(value)}}, nil
	case []byte:
		payload.Data = value
	default:
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%w: an argument: %w", ErrNotEncodable, err)
		}
		payload.Encoding, payload.Data = "json", text
	}
	return &pb.Argument{Source: &pb.Argument_Value{Value: payload}}, nil
}

// Result is a result as it came: JSON, or bytes if Encoding is "raw".
type Result struct {
	Encoding string
	Data     []byte
}

// Decode stores the result in the value that target points to. Bytes go into a *[]byte only.
func (r Result) Decode(target any) error {
	if r.Encoding == "raw" {
		bytes, ok := target.(*[]byte)
		if !ok {
			return fmt.Errorf("dagrpc: the result is bytes, which do not fit into a %T", target)
		}
		*bytes = r.Data
		return nil
	}
	return json.Unmarshal(r.Data, target)
}
