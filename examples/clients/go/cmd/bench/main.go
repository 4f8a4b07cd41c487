// Command bench measures calls by name: requests at a time with a result each, batches, and one after the other.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"dagrpc.dev/go/dagrpc"
)

func main() {
	address := flag.String("address", "127.0.0.1:8786", "scheduler")
	function := flag.String("function", "operator:neg", "a function of one number")
	seconds := flag.Float64("seconds", 3, "how long to measure each kind of call")
	parallel := flag.Int("parallel", 64, "requests at a time")
	only := flag.Int("only", 0, "measure this many requests at a time and nothing else")
	batch := flag.Int("batch", 10_000, "calls of a batch")
	flag.Parse()
	client, err := dagrpc.Connect(*address)
	check(err)
	defer client.Close()
	ctx := context.Background()
	kinds := []int{1, *parallel}
	if *only > 0 {
		kinds = []int{*only}
	}
	for _, workers := range kinds {
		times := requests(ctx, client, *function, workers, time.Duration(*seconds*float64(time.Second)))
		slices.Sort(times)
		fmt.Printf("%d at a time: calls=%d %.0f/s, median %v, 99 %% below %v\n",
			workers, len(times), float64(len(times)) / *seconds, times[len(times)/2], times[len(times)*99/100])
	}
	if *only > 0 {
		return
	}
	for range 3 {
		submitted, done := batched(ctx, client, *function, *batch)
		fmt.Printf("a batch of %d: submitted at %.0f/s, done with all results at %.0f/s\n",
			*batch, float64(*batch)/submitted.Seconds(), float64(*batch)/done.Seconds())
	}
}

// requests calls the function from many goroutines until the time is over, and returns how long each call took.
func requests(ctx context.Context, client *dagrpc.Client, function string, workers int, span time.Duration) (all []time.Duration) {
	var group sync.WaitGroup
	var lock sync.Mutex
	end := time.Now().Add(span)
	for worker := range workers {
		group.Go(func() {
			var times []time.Duration
			for i := worker; time.Now().Before(end); i += workers {
				begin, result := time.Now(), 0
				check(client.Call(ctx, &result, function, i))
				if result != -i {
					log.Fatalf("%s(%d) is %d", function, i, result)
				}
				times = append(times, time.Since(begin))
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, times...)
		})
	}
	group.Wait()
	return all
}

// batched submits many calls in one request, and waits for all results.
func batched(ctx context.Context, client *dagrpc.Client, function string, count int) (submitted, done time.Duration) {
	calls := make([]dagrpc.Call, count)
	for i := range calls {
		calls[i] = dagrpc.Call{Function: function, Arguments: []any{i}}
	}
	lease := client.Lease("")
	defer lease.End(ctx)
	begin := time.Now()
	keys, err := lease.Submit(ctx, calls...)
	check(err)
	submitted = time.Since(begin)
	tasks, err := lease.Wait(ctx, keys...)
	check(err)
	done = time.Since(begin)
	for i, task := range tasks {
		if string(task.GetValue().GetData()) != fmt.Sprint(-i) {
			log.Fatalf("%s(%d) is %v", function, i, task)
		}
	}
	return submitted, done
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
