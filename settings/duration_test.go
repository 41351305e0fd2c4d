package settings

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "90s": 90 * time.Second,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"d", "-1d", "1.5d", "1d-1h", "1h1d", "99999d", "1dd", " 1d"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("%q: %v, want an error", in, got)
		}
	}
}

// An empty text in a file is a key that was left out: it gives the default.
func TestEmptyDurationIsTheDefault(t *testing.T) {
	var v struct {
		Every time.Duration `key:"every" default:"5m"`
		Most  time.Duration `key:"most"`
	}
	if err := Decode([]byte(`{"every":"","most":""}`), &v, nil); err != nil || v.Every != 5*time.Minute || v.Most != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := Decode([]byte(`{"every":"0s","most":"2d"}`), &v, nil); err != nil || v.Every != 0 || v.Most != 48*time.Hour {
		t.Errorf("%+v, %v", v, err)
	}
}
