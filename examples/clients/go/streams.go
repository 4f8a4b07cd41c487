package dagrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "dagrpc.dev/go/dagrpc/v1"
)

// errLost is why a result is read again: its worker has died, and it is computed anew.
var errLost = errors.New("dagrpc: the result is not in memory at the moment")

// Copy waits for a task and writes its result to a writer, a piece at a time; it returns the result's encoding. After a
// broken connection it goes on where it was.
func (l *Lease) Copy(ctx context.Context, to io.Writer, key string) (encoding string, err error) {
	request := &pb.ResultRequest{Key: key, Accept: accepted, Lease: l.Name}
	read := func(ctx context.Context, request *pb.ResultRequest, _ ...grpc.CallOption) (string, error) {
		request.Timeout = durationpb.New(waitWithin(ctx))
		stream, err := l.client.tasks.Result(ctx, request)
		if err != nil {
			return "", err
		}
		first, err := stream.Recv()
		if err != nil {
			return "", err
		}
		if err := FailureOf(first.Task); err != nil {
			return "", err
		}
		if first.Task.ValueOutcome != pb.DataOutcome_DATA_OUTCOME_OK {
			return "", errLost
		}
		for {
			piece, err := stream.Recv()
			if err == io.EOF {
				return first.Task.Value.Encoding, nil
			}
			if err != nil {
				return "", err
			}
			written, err := to.Write(piece.Data)
			request.Offset += uint64(written)
			if err != nil {
				return "", fmt.Errorf("dagrpc: writing a result: %w", err)
			}
		}
	}
	for {
		encoding, err = retried(ctx, request, read)
		if !errors.Is(err, errLost) {
			return encoding, err
		}
		if !pausedFor(ctx, firstPause) {
			return "", requestError(ctx.Err())
		}
	}
}

// Watch yields the state of each task whenever it changes, beginning with all tasks. It ends with an error, or when the
// loop over it does.
func (l *Lease) Watch(ctx context.Context) iter.Seq2[*pb.TaskStatus, error] {
	return func(yield func(*pb.TaskStatus, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		wanted := true
		follow := func(ctx context.Context, request *pb.WatchRequest, _ ...grpc.CallOption) (struct{}, error) {
			stream, err := l.client.tasks.Watch(ctx, request)
			for err == nil && wanted {
				var change *pb.WatchResponse
				if change, err = stream.Recv(); err == nil {
					request.Cursor = change.Task.Cursor
					wanted = yield(change.Task, nil)
				}
			}
			if err == io.EOF {
				// It has lasted as long as streams may.
				err = nil
			}
			return struct{}{}, err
		}
		request := &pb.WatchRequest{Lease: l.Name}
		for wanted {
			// What follows a stream that broke begins after the last change that was seen.
			if _, err := retried(ctx, request, follow); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}
