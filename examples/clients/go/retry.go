package dagrpc

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
	// A cluster that does not answer for so long is taken for gone, if the context has no deadline.
	patience = 60 * time.Second
)

// retried makes a call that may be repeated, again and again while that may help and the context lasts.
func retried[Request, Response any](
	ctx context.Context, request Request, call func(context.Context, Request, ...grpc.CallOption) (Response, error),
) (Response, error) {
	begin, pause := time.Now(), firstPause
	for {
		response, err := call(ctx, request)
		if err == nil {
			return response, nil
		}
		if _, refused := status.FromError(err); !refused {
			// An error of this program, such as that of a task.
			return response, err
		}
		refusal := requestError(err)
		if !refusal.mayHelp() || time.Since(begin) > patience {
			return response, refusal
		}
		if !pausedFor(ctx, max(pause, refusal.RetryAfter)) {
			return response, requestError(ctx.Err())
		}
		pause = min(2*pause, longestPause)
	}
}

// pausedFor waits, up to twice as long at random, so that many callers do not come back at the same time.
func pausedFor(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause + rand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
