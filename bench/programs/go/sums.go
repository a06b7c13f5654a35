package main

import (
	"math"

	"github.com/bytedance/sonic"
)

// Row is a row of telemetry as it stands in a message.
type Row struct {
	AssetID   string  `json:"asset_id"`
	Timestamp string  `json:"timestamp"`
	Current   float64 `json:"current"`
	Voltage   float64 `json:"voltage"`
	SoC       float64 `json:"soc"`
}

// Travel is how far the state of charge went up and down [%].
type Travel struct {
	Sum, Last float64
	Seen      bool
}

func (t *Travel) add(soc float64) {
	if t.Seen {
		t.Sum += math.Abs(soc - t.Last)
	}
	t.Last, t.Seen = soc, true
}

// Sums are the same as those of bench/programs/fold.py. A row counts for one second.
type Sums struct {
	EnergyOut, EnergyIn, ChargeOut, ChargeIn float64
	All, In, Out                             Travel
	Rows                                     int64
	At                                       string
}

func (s *Sums) add(row *Row) {
	if row.Current > 0 {
		s.EnergyIn += row.Current * row.Voltage
		s.ChargeIn += row.Current
		s.In.add(row.SoC)
	} else if row.Current < 0 {
		s.EnergyOut -= row.Current * row.Voltage
		s.ChargeOut -= row.Current
		s.Out.add(row.SoC)
	}
	s.All.add(row.SoC)
	s.Rows++
	s.At = row.Timestamp
}

type record struct {
	AssetID   string  `json:"asset_id"`
	Window    *string `json:"window"`
	Rows      int64   `json:"rows"`
	ChargeIn  float64 `json:"charge_in_as"`
	ChargeOut float64 `json:"charge_out_as"`
	EnergyIn  float64 `json:"energy_in_j"`
	EnergyOut float64 `json:"energy_out_j"`
	Travel    float64 `json:"travel_percent"`
	TravelIn  float64 `json:"travel_in_percent"`
	TravelOut float64 `json:"travel_out_percent"`
	Timestamp string  `json:"timestamp"`
}

// record returns the JSON that goes out: of a window that starts at a minute, or of the lifetime (nil).
func (s *Sums) record(assetID string, window *string) []byte {
	content, err := sonic.Marshal(&record{
		assetID, window, s.Rows, s.ChargeIn, s.ChargeOut, s.EnergyIn, s.EnergyOut, s.All.Sum, s.In.Sum, s.Out.Sum, s.At,
	})
	must(err)
	return content
}

// State is what an asset has in memory, and in the changelog as JSON.
type State struct {
	Life, Window Sums
	Minute       string // start of the open window
	Offset       int64  // of the newest message that the sums include

	partition int32
	changed   bool // since the last checkpoint
}

// add adds the rows of a message. An asset's own next minute closes its window; window and lifetime go out then, and the
// lifetime with row number last.
func (s *State) add(rows []Row, last int64, emit func([]byte)) {
	closed := false
	for i := range rows {
		row := &rows[i]
		if minute := row.Timestamp[:len("2006-01-02T15:04")]; minute != s.Minute {
			if s.Minute != "" {
				emit(s.Window.record(row.AssetID, &s.Minute))
				closed = true
			}
			s.Minute, s.Window = minute, Sums{}
		}
		s.Life.add(row)
		s.Window.add(row)
	}
	if closed || s.Life.Rows == last {
		emit(s.Life.record(rows[0].AssetID, nil))
	}
}
