package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/bytedance/sonic"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// positionKey is the key of the record that says, in each partition of the changelog, from which offset of the same
// partition of the input to go on. No asset has it.
const positionKey = "\x00position"

// recovered reads the changelog to its end: the states, and the offsets from which the input has to be read.
//
// A state may include messages from its partition's position on (it was written, the position was not): its own offset
// says which, and they are not added again.
func recovered(ctx context.Context, broker, changelog string) (map[string]*State, map[int32]int64) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker), kgo.ConsumeTopics(changelog), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	must(err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, changelog)
	must(err)
	must(ends.Error())
	positions, missing := map[int32]int64{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		positions[end.Partition] = 0
		if end.Offset > 0 {
			missing[end.Partition] = end.Offset
		}
	})
	states := map[string]*State{}
	for len(missing) > 0 {
		fetches := client.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Key) == positionKey {
				positions[r.Partition], err = strconv.ParseInt(string(r.Value), 10, 64)
				must(err)
			} else {
				state := &State{partition: r.Partition}
				must(sonic.Unmarshal(r.Value, state))
				states[string(r.Key)] = state
			}
			if end, waiting := missing[r.Partition]; waiting && r.Offset+1 >= end {
				delete(missing, r.Partition)
			}
		})
	}
	fmt.Fprintf(os.Stderr, "recovered %d states, positions %v\n", len(states), positions)
	return states, positions
}
