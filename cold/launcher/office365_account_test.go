package launcher

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/auth"
	"github.com/vaguemestre/vaguemestre/connector/graphtest"
)

func TestOffice365WantsSomebodyToSignInAgain(t *testing.T) {
	t.Parallel()
	c := startCloud(t, &graphtest.Options{TokenLife: time.Second})
	box, account := c.signedIn(t, graphtest.User{Address: "compta@mondaine.fr"})
	box.DeliverAll("inbox", invoices(2))
	c.Revoke("compta@mondaine.fr", 50173)
	time.Sleep(time.Second) // the token ends
	l := c.launcher(account, "")
	for range 3 {
		if _, err := l.Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || !errors.Is(err, auth.ErrReauth) {
			t.Errorf("%v", err)
		}
	}
	nobody := c.Provider(&auth.Memory{}).Account("nobody")
	if _, err := c.launcher(nobody, "").Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || !errors.Is(err, auth.ErrNotAssociated) {
		t.Errorf("%v", err)
	}
}

func TestOffice365WithoutTheRightToTellWhoItIs(t *testing.T) {
	t.Parallel()
	c := startCloud(t, nil)
	_, account := c.signedIn(t, graphtest.User{Address: "compta@mondaine.fr"})
	c.script("", func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "me" {
			return &graphtest.Reply{Status: 403, Code: "Authorization_RequestDenied"}
		}
		return nil
	})
	if _, err := c.launcher(account, "").Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassAuth || !strings.Contains(err.Error(), "User.Read") {
		t.Errorf("%v", err)
	}
	if s := connect(t, c.launcher(account, "Compta@mondaine.fr")); !strings.HasSuffix(s.epoch, "/compta@mondaine.fr") {
		t.Errorf("by its address it is %s", s.epoch)
	}
	c.script("", func(call *graphtest.Call) *graphtest.Reply {
		if call.Op == "me" {
			return &graphtest.Reply{Status: 503}
		}
		return nil
	})
	// A name that changes with the weather would bring everything again under new keys.
	if _, err := c.launcher(account, "Compta@mondaine.fr").Connect(t.Context(), nil); vaguemestre.ClassOf(err) != vaguemestre.ClassSource {
		t.Errorf("%v", err)
	}
}
