package pop3

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostMessages bounds a listing.
const mostMessages = 1_000_000

// Message is one line of a listing.
type Message struct {
	Number int
	Size   int64  // bytes as LIST tells them; -1 when it does not
	ID     string // of UIDL; "" when there is none
}

// ErrNoListing is wrapped by the errors of a listing that contradicts itself.
var ErrNoListing = errors.New("the server's listing contradicts itself")

// List asks for all messages by LIST and UIDL, in the order of their numbers. A server
// without UIDL, or that leaves messages out of it, gives them no ID. r, if not OK, is a
// refusal: of LIST, or of a UIDL that the server does know.
func (c *Conn) List() (all []Message, r Reply, err error) {
	commands := []string{"LIST", "UIDL"}
	if c.Has("PIPELINING") { // RFC 2449 section 6.6
		if err := c.Send(commands...); err != nil {
			return nil, r, err
		}
	} else if err := c.Send(commands[0]); err != nil {
		return nil, r, err
	}
	if r, err = c.Reply(); err != nil {
		return nil, r, err
	}
	byNumber := map[int]int{}
	if r.OK {
		err = c.lines(func(line string) error {
			n, rest, err := numbered(line)
			if err != nil {
				return err
			}
			if _, twice := byNumber[n]; twice || len(all) == mostMessages {
				return fmt.Errorf("%w: LIST has number %d twice, or more than a million", ErrNoListing, n)
			}
			size, err := strconv.ParseInt(rest, 10, 64)
			if err != nil || size < 0 {
				size = -1
			}
			byNumber[n] = len(all)
			all = append(all, Message{Number: n, Size: size})
			return nil
		})
		if err != nil {
			return nil, r, err
		}
	}
	if !c.Has("PIPELINING") {
		if !r.OK {
			return nil, r, nil
		}
		if err := c.Send(commands[1]); err != nil {
			return nil, r, err
		}
	}
	u, err := c.Reply()
	if err != nil {
		return nil, r, err
	}
	if u.OK {
		seen := map[int]bool{}
		err = c.lines(func(line string) error {
			n, id, err := numbered(line)
			if err != nil {
				return err
			}
			if seen[n] {
				return fmt.Errorf("%w: UIDL has number %d twice", ErrNoListing, n)
			}
			seen[n] = true
			if i, known := byNumber[n]; known {
				all[i].ID = id
			} else if len(all) < mostMessages { // QUIRK: one of the two left it out
				all = append(all, Message{Number: n, Size: -1, ID: id})
			}
			return nil
		})
	}
	if err != nil || !r.OK {
		return nil, r, err
	}
	if !u.OK && (c.Has("UIDL") || u.Temporary()) {
		return nil, u, nil // without ids all would seem new
	}
	slices.SortFunc(all, func(a, b Message) int { return a.Number - b.Number })
	return all, r, nil
}

// numbered reads "n rest"; only the first word of the rest counts (RFC 1939 section 5 lets
// servers add to LIST; an id has no blanks).
func numbered(line string) (int, string, error) {
	f := strings.Fields(line)
	if len(f) == 0 {
		return 0, "", fmt.Errorf("%w: an empty line", ErrNoListing)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < 1 || n > 1<<30 {
		return 0, "", fmt.Errorf("%w: %q", ErrNoListing, cut([]byte(line)))
	}
	if len(f) == 1 {
		return n, "", nil
	}
	return n, f[1], nil
}
