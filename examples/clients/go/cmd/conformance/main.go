// Command conformance runs the table of cases in examples/clients/conformance, and prints what came out.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"dagrpc.dev/go/dagrpc"
	pb "dagrpc.dev/go/dagrpc/v1"
)

type config struct {
	Address, Proxy, CA, Certificate, Key string
	ServerName                           string `json:"server_name"`
	Tokens                               map[string]string
	Run, Cases                           string
}

type step struct {
	Do        string
	Calls     []call
	Each      int
	Function  string
	Wait      *bool
	Seconds   float64
	As        string
	Through   bool
	Keys      []string
	Key       string
	Interrupt bool
	Prefix    string
}

type call struct {
	Key, Function string
	Arguments     []any
	Named         map[string]any
	Options       struct {
		Retries        uint32
		TimeoutSeconds float64
	}
}

type object = map[string]any

// runner runs steps in the lease of a case.
type runner struct {
	config  config
	prefix  string
	clients map[string]*dagrpc.Client
}

func main() {
	var c config
	read(os.Args[1], &c)
	var cases []struct {
		Case  string
		Steps []step
	}
	read(c.Cases, &cases)
	r := &runner{config: c, prefix: c.Run + "-", clients: map[string]*dagrpc.Client{}}
	output := json.NewEncoder(os.Stdout)
	for _, each := range cases {
		var outcomes []any
		for _, step := range each.Steps {
			outcomes = append(outcomes, r.outcome(each.Case, step))
		}
		_ = r.lease(each.Case, step{}).End(context.Background())
		check(output.Encode(object{"case": each.Case, "outcomes": outcomes}))
	}
}

func read(path string, target any) {
	text, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(text, target))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func (r *runner) lease(name string, s step) *dagrpc.Lease { return r.client(s).Lease(r.prefix + name) }

func (r *runner) client(s step) *dagrpc.Client {
	address, token := r.config.Address, "caller"
	if s.Through {
		address = r.config.Proxy
	}
	if s.As != "" {
		token = s.As
	}
	if r.clients[address+token] == nil {
		client, err := dagrpc.Connect(address,
			dagrpc.WithTLS(r.config.CA), dagrpc.WithCertificate(r.config.Certificate, r.config.Key),
			dagrpc.WithServerName(r.config.ServerName), dagrpc.WithToken(r.config.Tokens[token]))
		check(err)
		r.clients[address+token] = client
	}
	return r.clients[address+token]
}

func (r *runner) outcome(name string, s step) any {
	seconds := s.Seconds
	if seconds == 0 {
		seconds = 240
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	defer cancel()
	outcome, err := r.do(ctx, r.lease(name, s), s)
	if err != nil {
		return r.failed(err)
	}
	return outcome
}

// failed describes an error.
func (r *runner) failed(err error) any {
	var refused *dagrpc.RequestError
	var failure *dagrpc.TaskError
	switch {
	case errors.As(err, &failure):
		origin := strings.TrimPrefix(failure.Failure.OriginKey, r.prefix)
		return object{"failed": failure.Kind(), "type": failure.Failure.TypeName, "message": failure.Failure.Message, "origin": origin}
	case errors.As(err, &refused):
		return object{"refused": codeName(refused.Code), "reason": refused.Reason}
	case errors.Is(err, dagrpc.ErrNotEncodable):
		return "not encodable"
	case errors.Is(err, dagrpc.ErrCancelled):
		return "cancelled"
	case errors.Is(err, dagrpc.ErrUnknown):
		return "unknown"
	}
	return object{"unexpected": err.Error()}
}

func codeName(code codes.Code) string {
	var name strings.Builder
	for i, letter := range code.String() {
		if i > 0 && 'A' <= letter && letter <= 'Z' {
			name.WriteRune('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

func (r *runner) do(ctx context.Context, lease *dagrpc.Lease, s step) (any, error) {
	switch s.Do {
	case "submit":
		return r.submit(ctx, lease, s)
	case "wait":
		tasks, err := lease.Wait(ctx, r.keys(s)...)
		return r.states(tasks), err
	case "watch":
		return r.watch(ctx, lease, s)
	case "result":
		hash := sha256.New()
		counted := &counter{}
		encoding, err := lease.Copy(ctx, io.MultiWriter(hash, counted), r.prefix+s.Key)
		return object{"encoding": encoding, "bytes": counted.bytes, "sha256": hex.EncodeToString(hash.Sum(nil))}, err
	case "cancel":
		return "ok", lease.Cancel(ctx, s.Interrupt, r.keys(s)...)
	case "release":
		return "ok", lease.Release(ctx, r.keys(s)...)
	case "functions":
		names := []string{}
		functions, err := r.client(s).Functions(ctx, s.Prefix)
		for _, function := range functions {
			names = append(names, function.Name)
		}
		return names, err
	}
	return nil, fmt.Errorf("no step is called %q", s.Do)
}

func (r *runner) submit(ctx context.Context, lease *dagrpc.Lease, s step) (any, error) {
	calls := make([]dagrpc.Call, s.Each, s.Each+len(s.Calls))
	for i := range calls {
		calls[i] = dagrpc.Call{Function: s.Function, Arguments: []any{i}}
	}
	for _, each := range s.Calls {
		calls = append(calls, r.call(each))
	}
	keys, err := lease.Submit(ctx, calls...)
	if err != nil {
		return nil, err
	}
	if s.Wait != nil && !*s.Wait {
		states := make([]any, len(keys))
		for i := range states {
			states[i] = "unsettled"
		}
		return states, nil
	}
	tasks, err := lease.Wait(ctx, keys...)
	if err != nil || s.Each == 0 {
		return r.states(tasks), err
	}
	sum := 0
	for _, task := range tasks {
		var value int
		check(json.Unmarshal(task.GetValue().GetData(), &value))
		sum += value
	}
	return object{"count": len(tasks), "sum": sum}, nil
}

func (r *runner) watch(ctx context.Context, lease *dagrpc.Lease, s step) (any, error) {
	wanted := map[string]bool{}
	for _, key := range r.keys(s) {
		wanted[key] = true
	}
	for task, err := range lease.Watch(ctx) {
		if err != nil {
			return nil, err
		}
		if task.State >= pb.LeasedState_LEASED_STATE_DONE {
			delete(wanted, task.Key)
		}
		if len(wanted) == 0 {
			break
		}
	}
	tasks, err := lease.Wait(ctx, r.keys(s)...)
	return r.states(tasks), err
}

func (r *runner) keys(s step) []string {
	keys := make([]string, len(s.Keys))
	for i, key := range s.Keys {
		keys[i] = r.prefix + key
	}
	return keys
}

func (r *runner) call(described call) dagrpc.Call {
	made := dagrpc.Call{
		Key: r.prefix + described.Key, Function: described.Function, NamedArguments: map[string]any{},
		Options: &pb.TaskOptions{Retries: described.Options.Retries, TimeoutSeconds: described.Options.TimeoutSeconds},
	}
	for _, value := range described.Arguments {
		made.Arguments = append(made.Arguments, r.argument(value))
	}
	for name, value := range described.Named {
		made.NamedArguments[name] = r.argument(value)
	}
	return made
}

func (r *runner) argument(value any) any {
	described, _ := value.(object)
	for kind, of := range described {
		switch kind {
		case "$task":
			return dagrpc.Task(r.prefix + of.(string))
		case "$shared":
			return dagrpc.Task(of.(string))
		case "$name":
			return r.prefix + of.(string)
		case "$nan":
			return math.NaN()
		case "$bytes":
			data := make([]byte, int(of.(float64)))
			for i := range data {
				data[i] = byte(i % 251)
			}
			return data
		}
	}
	return value
}

func (r *runner) states(tasks []*pb.TaskStatus) []any {
	states := make([]any, len(tasks))
	for i, task := range tasks {
		states[i] = r.state(task)
	}
	return states
}

func (r *runner) state(task *pb.TaskStatus) any {
	if err := dagrpc.FailureOf(task); err != nil {
		return r.failed(err)
	}
	if task.Value.GetEncoding() == "json" {
		return object{"value": json.RawMessage(task.Value.Data)}
	}
	if task.Value != nil {
		return object{"raw": len(task.Value.Data)}
	}
	return object{"raw": task.Nbytes}
}

// counter counts what is written.
type counter struct{ bytes int }

func (c *counter) Write(data []byte) (int, error) {
	c.bytes += len(data)
	return len(data), nil
}
