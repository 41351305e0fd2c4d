package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vaguemestre/vaguemestre/examples/internal/demo"
)

// canary is a secret that no output may show.
const canary = "K4N4R1-ne-doit-jamais-paraître"

// TestWrong: every mistake gives its exit code and one sentence that helps.
func TestWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(s *site)
		args   []string // besides -config; -once if nil
		code   int
		want   []string // in the sentence
	}{
		{name: "unknown key", change: func(s *site) { s.job["sinck"] = demo.Object{} }, code: 2, want: []string{"jobs[0].sinck", `"sink"`}},
		{name: "unknown key at the top", change: func(s *site) { s.file["job"] = nil }, code: 2, want: []string{`"job"`, `"jobs"`}},
		{name: "unknown key of the launcher", change: func(s *site) { s.launcher()["acount"] = "x" }, code: 2, want: []string{"jobs[0].launcher.settings.acount", `"account"`}},
		{name: "account without a key", change: func(s *site) {
			s.file["accounts"] = []any{demo.Object{"name": "compta", "kind": "microsoft", "settings": demo.Object{"client_id": "x"}}}
		}, code: 2, want: []string{"key: is missing", "openssl rand -base64 32", "VAGUEMESTRE_KEY"}},
		{name: "unknown account", change: func(s *site) {
			s.job["launcher"] = demo.Object{"kind": "office365", "settings": demo.Object{"account": "compta"}}
		}, code: 2, want: []string{"jobs[0].launcher.settings", `unknown account "compta"`, `under "accounts"`}},
		{name: "cron comes later", change: func(s *site) { s.job["cron"] = "" }, code: 2, want: []string{`jobs[0].cron: unknown key "cron"`}},
		{name: "zone comes later", change: func(s *site) { s.job["zone"] = "Europe/Paris" }, code: 2, want: []string{`jobs[0].zone: unknown key "zone"`}},
		{name: "redelivery comes later", code: 2, want: []string{`unknown key "redelivery"`}, change: func(s *site) {
			s.file["services"] = demo.Object{"mail": demo.Object{"instances": demo.Object{"relances": demo.Object{"redelivery": demo.Object{}}}}}
		}},
		{name: "unknown launcher", change: func(s *site) { s.job["launcher"].(demo.Object)["kind"] = "imapp" }, code: 2, want: []string{`unknown kind "imapp"`, `mean "imap"`, "use one of imap"}},
		{name: "unknown sink", change: func(s *site) { s.job["sink"].(demo.Object)["kind"] = "sql" }, code: 2, want: []string{`unknown kind "sql"`, "use one of dir"}},
		{name: "unknown decoder", change: func(s *site) { s.job["decoders"] = []any{demo.Object{"kind": "zip"}} }, code: 2, want: []string{`unknown kind "zip"`}},
		{name: "missing host", change: func(s *site) { delete(s.launcher(), "host") }, code: 2, want: []string{"jobs[0].launcher.settings.host", "is missing"}},
		{name: "missing name", change: func(s *site) { delete(s.job, "name") }, code: 2, want: []string{"jobs[0].name", "is missing"}},
		{name: "no jobs", change: func(s *site) { delete(s.file, "jobs") }, code: 2, want: []string{"no jobs", `under "jobs"`}},
		{name: "two jobs of one name", change: func(s *site) { s.file["jobs"] = []any{s.job, s.job} }, code: 2, want: []string{"jobs[1].name", `"factures" stands twice`}},
		{name: "every", change: func(s *site) { s.job["every"] = "5 minutes" }, code: 2, want: []string{"jobs[0].every", `"5m"`}},
		{name: "filter", change: func(s *site) { s.job["filters"] = demo.Object{"include": []string{"/(/"}} }, code: 2, want: []string{"jobs[0].filters.include[0]", "missing closing )"}},
		{name: "after without target", change: func(s *site) { s.job["after"] = demo.Object{"do": "move"} }, code: 2, want: []string{"needs a target"}},
		{name: "secret from nowhere", change: func(s *site) { s.launcher()["password"] = demo.Object{"env": "VAGUEMESTRE_ABSENT"} }, code: 2, want: []string{"VAGUEMESTRE_ABSENT", "is not set"}},
		{name: "bad key", change: func(s *site) { s.file["key"] = "trop court" }, code: 2, want: []string{"key"}},
		{name: "store in a missing folder", change: func(s *site) { s.file["store"] = "absent/state.db" }, code: 2, want: []string{"absent", `"store" in the configuration`}},
		{name: "unknown folder", change: func(s *site) { s.launcher()["source"] = "Absent" }, code: 2, want: []string{`"Absent" does not exist`, `"INBOX"`}},
		{name: "unknown flag", args: []string{"-onze"}, code: 2, want: []string{"-onze", "-h lists the flags"}},
		{name: "no flag", args: []string{"once"}, code: 2, want: []string{`"once" is no flag`}},

		{name: "wrong password", change: func(s *site) { s.launcher()["password"] = canary }, code: 1, want: []string{"job factures: imap: login", "account or password"}},
		{name: "nobody there", change: func(s *site) { s.srv.Close() }, code: 1, want: []string{"job factures: ", "refuse"}},
		{name: "sink cannot be written", change: func(s *site) { s.job["sink"].(demo.Object)["settings"] = demo.Object{"path": "ca.pem/in"} }, code: 1, want: []string{"cold: dir", "can be written"}},
		{name: "unknown item", args: []string{"-explain", "imap://nobody"}, code: 1, want: []string{`no job knows the item "imap://nobody"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			if c.change != nil {
				c.change(s)
			}
			args := c.args
			if args == nil {
				args = []string{"-once"}
			}
			r := s.run(append(args, "-json")...) // without the lines about progress
			oneSentence(t, r, c.code, c.want)
			if c.code == 2 && s.srv.Folder("Traités") > 0 {
				t.Error("mails were moved all the same")
			}
		})
	}
	for name, c := range map[string]struct {
		text string // "" is no file
		want []string
	}{
		"missing file": {"", []string{"config.json", "-config names the file"}},
		"bad json":     {"{\n  \"jobs\": [}\n", []string{"line 2, column 12", "not JSON"}},
		"empty file":   {" ", []string{"not JSON"}},
		"a list":       {"[]", []string{"object"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "config.json")
			if c.text != "" {
				if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			oneSentence(t, program(t.Context(), "-config", path, "-once"), 2, c.want)
		})
	}
	oneSentence(t, program(t.Context()), 2, []string{"-config FILE"})
}

// oneSentence: the exit code, and one line on standard error that holds all of want.
func oneSentence(t *testing.T, r result, code int, want []string) {
	t.Helper()
	t.Logf("%s", r.stderr)
	if r.code != code {
		t.Errorf("exit %d, want %d", r.code, code)
	}
	if strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, "\n") {
		t.Errorf("standard error is not one line:\n%s", r.stderr)
	}
	for _, w := range want {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("the sentence does not say %q: %s", w, r.stderr)
		}
	}
	if code == 2 && strings.Contains(r.stdout, "delivered\":1") {
		t.Errorf("it went on: %s", r.stdout)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	r := program(t.Context(), "-h")
	if r.code != 0 || r.stderr != "" {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{"-config FILE", "-once", "-dry-run", "-explain ITEM", "-json"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no word about %s:\n%s", want, r.stdout)
		}
	}
}

// TestSecrets: a password that is wrong in any way stays unseen, and out of the store.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site){
		"refused":       func(s *site) { s.launcher()["password"] = canary },
		"line end":      func(s *site) { s.launcher()["password"] = canary + "\n" },
		"wrong shape":   func(s *site) { s.launcher()["password"] = []any{canary} },
		"in an object":  func(s *site) { s.launcher()["password"] = demo.Object{"value": canary} },
		"beside errors": func(s *site) { s.launcher()["password"] = canary; s.launcher()["port"] = "x"; s.job["x"] = canary },
		"as the key":    func(s *site) { s.file["key"] = canary; s.launcher()["password"] = canary },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			change(s)
			for _, args := range [][]string{{"-once"}, {"-once", "-json"}, {"-dry-run"}, {"-explain", "x"}} {
				r := s.run(args...)
				if r.code == 0 {
					t.Errorf("%v: exit 0", args)
				}
				if strings.Contains(r.stdout+r.stderr, canary) {
					t.Errorf("%v shows the secret:\n%s%s", args, r.stdout, r.stderr)
				}
			}
			for _, f := range s.files(".") {
				if b, _ := os.ReadFile(filepath.Join(s.dir, f)); f != "config.json" && strings.Contains(string(b), canary) {
					t.Errorf("%s holds the secret", f)
				}
			}
		})
	}
}
