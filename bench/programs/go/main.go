// Command loop is a loop written by hand: franz-go, sonic and a map of states; no consumer group, no rebalancing.
//
// It is exact after a crash. Each second the states that changed go to a changelog, then, in the same partition, the
// offset from which to go on; what goes out is written before them. Started again, it reads the changelog and goes on
// there. Messages with the same key are in the same partition of input, changelog and output.
package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/bytedance/sonic"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	checkpointEvery = time.Second
	pollAtMost      = 10_000
	pollFor         = 100 * time.Millisecond
)

func main() {
	ctx := context.Background()
	input, output := os.Getenv("BENCH_INPUT"), os.Getenv("BENCH_OUTPUT")
	changelog := os.Getenv("BENCH_RUN") + "-changelog"
	last, err := strconv.ParseInt(os.Getenv("BENCH_ROWS_PER_ASSET"), 10, 64)
	must(err)
	batched := os.Getenv("BENCH_BATCHED") == "1"

	states, positions := recovered(ctx, os.Getenv("BENCH_BROKER"), changelog)
	client := connected(os.Getenv("BENCH_BROKER"), input, positions)
	send := func(topic string, partition int32, key, value []byte) {
		message := &kgo.Record{Topic: topic, Partition: partition, Key: key, Value: value}
		client.Produce(ctx, message, func(_ *kgo.Record, err error) { must(err) })
	}

	var changed []string
	rows := make([]Row, 1, 128)
	due := time.Now().Add(checkpointEvery)
	for {
		waiting, cancel := context.WithTimeout(ctx, pollFor)
		fetches := client.PollRecords(waiting, pollAtMost)
		cancel()
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				must(err)
			}
		})
		fetches.EachRecord(func(message *kgo.Record) {
			if batched {
				rows = rows[:0]
				must(sonic.ConfigFastest.Unmarshal(message.Value, &rows))
			} else {
				rows[0] = Row{}
				must(sonic.ConfigFastest.Unmarshal(message.Value, &rows[0]))
			}
			positions[message.Partition] = message.Offset + 1
			state := states[string(message.Key)]
			if state == nil {
				state = &State{Offset: -1, partition: message.Partition}
				states[string(message.Key)] = state
			}
			if message.Offset <= state.Offset {
				return
			}
			state.Offset = message.Offset
			state.add(rows, last, func(value []byte) { send(output, message.Partition, message.Key, value) })
			if !state.changed {
				state.changed = true
				changed = append(changed, string(message.Key))
			}
		})
		if len(changed) > 0 && time.Now().After(due) {
			must(client.Flush(ctx)) // a state must not say that a record went out that a crash then loses
			for _, key := range changed {
				state := states[key]
				state.changed = false
				value, err := sonic.Marshal(state)
				must(err)
				send(changelog, state.partition, []byte(key), value)
			}
			changed = changed[:0]
			for partition, position := range positions {
				send(changelog, partition, []byte(positionKey), strconv.AppendInt(nil, position, 10))
			}
			must(client.Flush(ctx))
			due = time.Now().Add(checkpointEvery)
		}
	}
}

func connected(broker, input string, positions map[int32]int64) *kgo.Client {
	begin := map[int32]kgo.Offset{}
	for partition, position := range positions {
		begin[partition] = kgo.NewOffset().At(position)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{input: begin}),
		kgo.FetchMaxPartitionBytes(4<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(20*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(100_000),
	)
	must(err)
	return client
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
