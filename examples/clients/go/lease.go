package dagrpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "dagrpc.dev/go/dagrpc/v1"
)

const (
	// A scheduler lets a call wait for up to five minutes; proxies often less.
	longestWait = 50 * time.Second
	// Larger results are streamed.
	inlineLimit = 1 << 20
	shortPause  = 10 * time.Millisecond
)

// Lease keeps tasks and their results. It lives for its time to live after the latest call.
type Lease struct {
	Name   string
	client *Client
	// TTL is how long the lease lives after a call; 0: as the cluster is set.
	TTL time.Duration
}

// Lease returns the lease of a name, which is made by its first Submit. Who knows the name may use the lease. Empty: a
// new one.
func (c *Client) Lease(name string) *Lease {
	if name == "" {
		name = rand.Text()
	}
	return &Lease{Name: name, client: c}
}

// Submit submits calls, which may use each other's results in any order; it returns the keys of their tasks. Either all
// are taken or none.
func (l *Lease) Submit(ctx context.Context, calls ...Call) ([]string, error) {
	tasks, err := l.submit(ctx, &pb.SubmitRequest{}, calls)
	return keysOf(tasks), err
}

// Run submits one call and returns its result.
func (l *Lease) Run(ctx context.Context, call Call) (Result, error) {
	return l.run(ctx, call, false)
}

// run submits one call and returns its result, which the lease may release with the answer.
func (l *Lease) run(ctx context.Context, call Call, release bool) (Result, error) {
	request := &pb.SubmitRequest{Wait: durationpb.New(waitWithin(ctx)), InlineLimit: inlineLimit, ReleaseAnswered: release}
	tasks, err := l.submit(ctx, request, []Call{call})
	if err != nil {
		return Result{}, err
	}
	return l.outcome(ctx, tasks[0])
}

func (l *Lease) submit(ctx context.Context, request *pb.SubmitRequest, calls []Call) ([]*pb.TaskStatus, error) {
	request.Lease, request.Accept = l.Name, accepted
	for _, call := range calls {
		if call.Key == "" {
			// With a key, the request can be repeated.
			call.Key = rand.Text()
		}
		message, err := call.message()
		if err != nil {
			return nil, err
		}
		request.Calls = append(request.Calls, message)
	}
	if l.TTL > 0 {
		request.Ttl = durationpb.New(l.TTL)
	}
	response, err := retried(ctx, request, l.client.tasks.Submit)
	return response.GetTasks(), err
}

// Wait waits until all tasks are settled and returns their states in the order of the keys; without keys, of all tasks.
// Results of up to 1 MiB come along as `value`.
func (l *Lease) Wait(ctx context.Context, keys ...string) ([]*pb.TaskStatus, error) {
	for {
		request := &pb.WaitRequest{
			Lease: l.Name, Keys: keys, Timeout: durationpb.New(waitWithin(ctx)), Accept: accepted, InlineLimit: inlineLimit,
		}
		response, err := retried(ctx, request, l.client.tasks.Wait)
		if err != nil {
			return nil, err
		}
		if allSettled(response.Tasks) {
			return response.Tasks, nil
		}
		if !pausedFor(ctx, shortPause) {
			return nil, requestError(ctx.Err())
		}
	}
}

// Result waits for a task and returns its result.
func (l *Lease) Result(ctx context.Context, key string) (Result, error) {
	tasks, err := l.Wait(ctx, key)
	if err != nil {
		return Result{}, err
	}
	return l.outcome(ctx, tasks[0])
}

// outcome returns what came with a state, or waits for it, or reads it as a stream if it is large.
func (l *Lease) outcome(ctx context.Context, task *pb.TaskStatus) (Result, error) {
	for {
		if err := FailureOf(task); err != nil {
			return Result{}, err
		}
		switch {
		case task.Value != nil:
			return Result{task.Value.Encoding, task.Value.Data}, nil
		case task.ValueOutcome == pb.DataOutcome_DATA_OUTCOME_DEFERRED:
			var data bytes.Buffer
			encoding, err := l.Copy(ctx, &data, task.Key)
			return Result{encoding, data.Bytes()}, err
		}
		tasks, err := l.Wait(ctx, task.Key)
		if err != nil {
			return Result{}, err
		}
		task = tasks[0]
	}
}

// Cancel cancels tasks that nobody else wants. Interrupt: also those that run, as far as their workers can.
func (l *Lease) Cancel(ctx context.Context, interrupt bool, keys ...string) error {
	request := &pb.CancelRequest{Lease: l.Name, Keys: keys, Interrupt: interrupt}
	_, err := retried(ctx, request, l.client.tasks.Cancel)
	return err
}

// Release drops tasks that are no longer wanted.
func (l *Lease) Release(ctx context.Context, keys ...string) error {
	_, err := retried(ctx, &pb.RenewRequest{Lease: l.Name, Release: keys}, l.client.tasks.Renew)
	return err
}

// End ends the lease, and releases all that it holds.
func (l *Lease) End(ctx context.Context) error {
	_, err := retried(ctx, &pb.RenewRequest{Lease: l.Name, End: true}, l.client.tasks.Renew)
	return err
}

// waitWithin returns how long a call may wait: a little less than what the context leaves, so that its answer comes.
func waitWithin(ctx context.Context) time.Duration {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return longestWait
	}
	return max(min(longestWait, time.Until(deadline)), time.Millisecond)
}

func settled(task *pb.TaskStatus) bool {
	return task.State != pb.LeasedState_LEASED_STATE_PENDING && task.State != pb.LeasedState_LEASED_STATE_RUNNING
}

func allSettled(tasks []*pb.TaskStatus) bool {
	for _, task := range tasks {
		// A result that is missing was lost with its worker at this moment, and is computed again.
		if !settled(task) || task.ValueOutcome == pb.DataOutcome_DATA_OUTCOME_MISSING {
			return false
		}
	}
	return true
}

func keysOf(tasks []*pb.TaskStatus) []string {
	keys := make([]string, len(tasks))
	for i, task := range tasks {
		keys[i] = task.Key
	}
	return keys
}
