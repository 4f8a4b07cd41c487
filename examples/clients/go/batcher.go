package dagrpc

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "dagrpc.dev/go/dagrpc/v1"
)

const (
	batchCalls = 1_000
	batchBytes = 4 << 20
	// How long a result that was read is kept if no further call comes by.
	releaseAfter = 100 * time.Millisecond
)

// batcher runs the calls of many goroutines in one lease. Calls that come while a request is under way go out together
// with the next one, and one stream brings the results: 64 calls at a time cost a few messages, not 64 requests.
type batcher struct {
	lease  *Lease
	single *Lease
	ctx    context.Context
	cancel context.CancelFunc

	lock       sync.Mutex
	queue      []*pb.NamedCall
	waiting    map[string]*pending
	release    []string
	submitting bool
	watching   bool
	alone      bool
}

// pending is a call that has no answer yet.
type pending struct {
	answered  chan answer
	submitted bool
}

type answer struct {
	task *pb.TaskStatus
	err  error
}

func newBatcher(client *Client) *batcher {
	ctx, cancel := context.WithCancel(context.Background())
	return &batcher{lease: client.Lease(""), single: client.Lease(""), ctx: ctx, cancel: cancel, waiting: map[string]*pending{}}
}

// run submits a call and waits for its result.
func (b *batcher) run(ctx context.Context, call Call) (Result, error) {
	call.Key = rand.Text()
	message, err := call.message()
	if err != nil {
		return Result{}, err
	}
	if b.goAlone() {
		defer func() { b.lock.Lock(); b.alone = false; b.lock.Unlock() }()
		return b.single.run(ctx, call, true)
	}
	waiter := &pending{answered: make(chan answer, 1)}
	b.lock.Lock()
	b.waiting[call.Key] = waiter
	b.queue = append(b.queue, message)
	if !b.submitting {
		b.submitting = true
		go b.submit()
	}
	b.lock.Unlock()
	defer b.forget(call.Key)
	select {
	case found := <-waiter.answered:
		if found.err != nil {
			return Result{}, found.err
		}
		return b.lease.outcome(ctx, found.task)
	case <-ctx.Done():
		return Result{}, requestError(ctx.Err())
	}
}

// goAlone tells whether a call is the only one, which is done by one request of its own.
func (b *batcher) goAlone() bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	only := !b.alone && len(b.waiting) == 0
	b.alone = b.alone || only
	return only
}

// forget lets the cluster drop a task, with the next request or soon.
func (b *batcher) forget(key string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	delete(b.waiting, key)
	b.release = append(b.release, key)
	if len(b.release) == 1 {
		time.AfterFunc(releaseAfter, func() {
			b.lock.Lock()
			keys := b.release
			b.release = nil
			b.lock.Unlock()
			if len(keys) > 0 {
				_ = b.lease.Release(b.ctx, keys...)
			}
		})
	}
}

// submit sends what is queued until nothing is.
func (b *batcher) submit() {
	for {
		calls, release := b.next()
		if calls == nil {
			return
		}
		if refused := b.send(calls, release); refused != nil {
			b.fail(calls, refused)
		}
	}
}

// next takes the calls of one request out of the queue; nil: there are none.
func (b *batcher) next() ([]*pb.NamedCall, []string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.queue) == 0 {
		b.submitting = false
		return nil, nil
	}
	count, size := 0, 0
	for count < len(b.queue) && count < batchCalls && size < batchBytes {
		size += proto.Size(b.queue[count])
		count++
	}
	calls, release := b.queue[:count:count], b.release
	b.queue, b.release = b.queue[count:], nil
	return calls, release
}

// send submits calls together, or one by one if the scheduler refuses one of them.
func (b *batcher) send(calls []*pb.NamedCall, release []string) error {
	request := &pb.SubmitRequest{Lease: b.lease.Name, Calls: calls, Release: release}
	_, err := retried(b.ctx, request, b.lease.client.tasks.Submit)
	var refusal *RequestError
	if len(calls) > 1 && errors.As(err, &refusal) && refusal.Code == codes.InvalidArgument {
		for _, call := range calls {
			alone := []*pb.NamedCall{call}
			if err := b.send(alone, nil); err != nil {
				b.fail(alone, err)
			}
		}
		return nil
	}
	if err == nil {
		b.submitted(calls)
	}
	return err
}

// submitted notes that the lease has calls, and watches it.
func (b *batcher) submitted(calls []*pb.NamedCall) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, call := range calls {
		if waiter := b.waiting[call.Key]; waiter != nil {
			waiter.submitted = true
		}
	}
	if !b.watching {
		b.watching = true
		go b.watch()
	}
}

func (b *batcher) fail(calls []*pb.NamedCall, err error) {
	for _, call := range calls {
		b.answer(call.Key, answer{err: err})
	}
}

func (b *batcher) answer(key string, found answer) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if waiter := b.waiting[key]; waiter != nil {
		delete(b.waiting, key)
		waiter.answered <- found
	}
}

// watch hands out the results of the lease as they come, as long as there is the lease.
func (b *batcher) watch() {
	request := &pb.WatchRequest{
		Lease: b.lease.Name, Accept: accepted, InlineLimit: inlineLimit, Settled: true, Together: true,
	}
	var err error
	for err == nil {
		_, err = retried(b.ctx, request, b.follow)
		if err == nil {
			// The lease has ended, or the stream has lasted as long as streams may.
			err = b.look()
		}
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	b.watching = false
	for key, waiter := range b.waiting {
		if waiter.submitted {
			delete(b.waiting, key)
			waiter.answered <- answer{err: err}
		}
	}
}

func (b *batcher) follow(ctx context.Context, request *pb.WatchRequest, _ ...grpc.CallOption) (struct{}, error) {
	stream, err := b.lease.client.tasks.Watch(ctx, request)
	for err == nil {
		var changes *pb.WatchResponse
		if changes, err = stream.Recv(); err == nil {
			for _, task := range changes.Tasks {
				request.Cursor = task.Cursor
				b.answer(task.Key, answer{task: task})
			}
		}
	}
	if err == io.EOF {
		err = nil
	}
	return struct{}{}, err
}

// look tells whether the lease is still there.
func (b *batcher) look() error {
	_, err := retried(b.ctx, &pb.RenewRequest{Lease: b.lease.Name}, b.lease.client.tasks.Renew)
	return err
}

// close ends the lease, if there is one, and all calls.
func (b *batcher) close() {
	b.lock.Lock()
	used := b.watching
	b.lock.Unlock()
	if used {
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		_ = b.lease.End(ctx)
	}
	b.cancel()
}
