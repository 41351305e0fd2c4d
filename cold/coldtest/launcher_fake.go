package coldtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vaguemestre/vaguemestre"
	"github.com/vaguemestre/vaguemestre/cold"
)

// ErrMissing, returned by [MemLauncher].OnOpen, makes Open pass an item over without
// a call: a row that the server did not send.
var ErrMissing = errors.New("coldtest: the source does not show this item now")

// MemLauncher is a launcher whose source lies in memory, for the tests of jobs,
// sinks and hosts. The zero value is an empty source. It does everything that a
// mailbox does: pages, read marks, keywords, folders, deletion, a new epoch.
//
// Faults are scripted with the On… fields; set them before Connect. All methods are
// safe for concurrent use.
type MemLauncher struct {
	Name     string // part of the keys; "" is "mem"
	PageSize int    // items in one page of List; 0 means 100
	Range    int    // items that Open confirms together; 0 means 10

	LastingCursor bool // the last page has a cursor, too, after which only newer items are listed
	Sizeless      bool // tells no sizes: those of items and contents are -1

	// OnConnect, OnList and OnSettle make the call fail when they return an error; of
	// OnSettle an error of class source ends Settle as a whole, any other fails the item.
	OnConnect func() error
	OnList    func(cursor string) error
	OnSettle  func(cold.Item, cold.After) error

	// OnOpen is asked for every item: nil brings it, [ErrMissing] passes it over, an
	// error of class poison becomes its Content.Err, and any other error ends Open.
	OnOpen func(cold.Item) error

	// CutAfter gives after how many bytes the body of an item breaks off with
	// io.ErrUnexpectedEOF; negative for a body that does not break.
	CutAfter func(cold.Item) int64

	mu       sync.Mutex
	next     int
	epoch    int
	items    []*MemItem
	opened   map[string]int
	sessions int
	readOnly int
}

// MemItem is one item of a [MemLauncher] as it stands now.
type MemItem struct {
	Key       string
	Epoch     string
	Name      string
	MediaType string
	Data      []byte
	Time      time.Time
	Seen      bool
	Tags      []string
	Folder    string // "" is the source
	From      string // the key it had in the source before it was moved
}

// Add puts an item at the end of the source and returns its key.
func (m *MemLauncher) Add(name, mediaType string, data []byte) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch == 0 {
		m.epoch = 1
	}
	m.next++
	it := &MemItem{Epoch: m.epochName(), Name: name, MediaType: mediaType, Data: bytes.Clone(data),
		Time: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).Add(time.Duration(m.next) * time.Minute)}
	it.Key = it.Epoch + ";" + strconv.Itoa(m.next)
	m.items = append(m.items, it)
	return it.Key
}

// AddMail puts a mail at the end of the source and returns its key.
func (m *MemLauncher) AddMail(raw []byte) string { return m.Add("", "message/rfc822", raw) }

// Remove takes an item away behind everybody's back.
func (m *MemLauncher) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, it := range m.items {
		if it.Key == key {
			m.items = append(m.items[:i], m.items[i+1:]...)
			return
		}
	}
}

// NewEpoch gives every item of the source a new key under a new epoch, as a mailbox
// does whose UIDVALIDITY changes.
func (m *MemLauncher) NewEpoch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	for _, it := range m.items {
		if it.Folder != "" {
			continue
		}
		m.next++
		it.Epoch = m.epochName()
		it.Key = it.Epoch + ";" + strconv.Itoa(m.next)
	}
}

// Contents returns copies of what lies in folder now, "" for the source.
func (m *MemLauncher) Contents(folder string) []MemItem {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []MemItem
	for _, it := range m.items {
		if it.Folder == folder {
			c := *it
			c.Tags = append([]string(nil), it.Tags...)
			out = append(out, c)
		}
	}
	return out
}

// Opened tells how often the content of key was handed out.
func (m *MemLauncher) Opened(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened[key]
}

// Sessions tells how many sessions are open now, and how many of all sessions so
// far were read-only.
func (m *MemLauncher) Sessions() (open, readOnly int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions, m.readOnly
}

func (m *MemLauncher) epochName() string {
	name := m.Name
	if name == "" {
		name = "mem"
	}
	return name + ";EPOCH=" + strconv.Itoa(m.epoch)
}

// Supports implements [cold.Launcher]: all verbs, tag and move with a Target.
func (m *MemLauncher) Supports(a cold.After) error {
	switch a.Do {
	case "", cold.DoLeave, cold.DoSeen, cold.DoDelete:
		return nil
	case cold.DoTag, cold.DoMove:
		if a.Target != "" {
			return nil
		}
		return &vaguemestre.Error{Op: "mem: after", Class: vaguemestre.ClassConfig, Err: fmt.Errorf("%q needs a target", a.Do)}
	}
	return &vaguemestre.Error{Op: "mem: after", Class: vaguemestre.ClassConfig,
		Err: fmt.Errorf("%q is unknown; use leave, seen, tag, move or delete", a.Do)}
}

// Connect implements [cold.Launcher].
func (m *MemLauncher) Connect(ctx context.Context, o *cold.ConnectOptions) (cold.Session, error) {
	if err := memCanceled(ctx); err != nil {
		return nil, err
	}
	if m.OnConnect != nil {
		if err := m.OnConnect(); err != nil {
			return nil, err
		}
	}
	s := &memSession{m: m, readOnly: o != nil && o.ReadOnly}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions++
	if s.readOnly {
		m.readOnly++
	}
	return s, nil
}

type memSession struct {
	m        *MemLauncher
	readOnly bool
	dead     bool
	closed   bool
}

func memCanceled(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassCanceled, Err: err}
	}
	return nil
}

// check fails a call on a session that is over.
func (s *memSession) check(ctx context.Context) error {
	if s.dead {
		return &vaguemestre.Error{Op: "mem", Class: vaguemestre.ClassSource, Err: errors.New("the session is over; connect again")}
	}
	if err := memCanceled(ctx); err != nil {
		s.dead = true
		return err
	}
	return nil
}

func (s *memSession) List(ctx context.Context, cursor string) (cold.Page, error) {
	if err := s.check(ctx); err != nil {
		return cold.Page{}, err
	}
	if s.m.OnList != nil {
		if err := s.m.OnList(cursor); err != nil {
			return cold.Page{}, err
		}
	}
	all := s.m.Contents("")
	sort.SliceStable(all, func(i, j int) bool { return memOrdinal(all[i].Key) < memOrdinal(all[j].Key) })
	after := 0
	if rest, ok := strings.CutPrefix(cursor, "after:"); ok {
		after, _ = strconv.Atoi(rest) // what is no number is taken for ""
	}
	size := s.m.PageSize
	if size <= 0 {
		size = 100
	}
	var p cold.Page
	for _, it := range all {
		if memOrdinal(it.Key) <= after {
			continue
		}
		if len(p.Items) == size {
			p.More = true
			p.Cursor = "after:" + strconv.Itoa(memOrdinal(p.Items[size-1].Key))
			break
		}
		p.Items = append(p.Items, cold.Item{Key: it.Key, Epoch: it.Epoch, Size: s.m.size(it.Data), Time: it.Time, Seen: it.Seen})
	}
	if s.m.LastingCursor && !p.More {
		p.Cursor = cursor
		if n := len(p.Items); n > 0 {
			p.Cursor = "after:" + strconv.Itoa(memOrdinal(p.Items[n-1].Key))
		}
	}
	return p, nil
}

func (m *MemLauncher) size(data []byte) int64 {
	if m.Sizeless {
		return -1
	}
	return int64(len(data))
}

func memOrdinal(key string) int {
	n, _ := strconv.Atoi(key[strings.LastIndexByte(key, ';')+1:])
	return n
}

func (s *memSession) Open(ctx context.Context, items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	size := s.m.Range
	if size <= 0 {
		size = 10
	}
	given := map[string]bool{}
	var open []cold.Item // given, not yet confirmed
	for _, it := range items {
		if len(open) >= size {
			if err := memConfirm(open, got); err != nil {
				return err
			}
			open = open[:0]
		}
		if err := s.check(ctx); err != nil {
			return err
		}
		if given[it.Key] {
			continue
		}
		given[it.Key] = true
		mem, ok := s.m.find(it.Key)
		if !ok || mem.Folder != "" {
			continue
		}
		c := &cold.Content{Name: mem.Name, MediaType: mem.MediaType, Size: s.m.size(mem.Data)}
		if s.m.OnOpen != nil {
			switch err := s.m.OnOpen(it); {
			case err == nil:
			case errors.Is(err, ErrMissing):
				continue
			case vaguemestre.ClassOf(err) == vaguemestre.ClassPoison:
				c = &cold.Content{Err: err}
			default:
				return err
			}
		}
		if c.Err == nil {
			c.Body = bytes.NewReader(mem.Data)
			if s.m.CutAfter != nil {
				if n := s.m.CutAfter(it); n >= 0 && n < int64(len(mem.Data)) {
					c.Body = io.MultiReader(bytes.NewReader(mem.Data[:n]), brokenReader{})
				}
			}
			s.m.mu.Lock()
			if s.m.opened == nil {
				s.m.opened = map[string]int{}
			}
			s.m.opened[it.Key]++
			s.m.mu.Unlock()
		}
		if err := got(it, c); err != nil {
			return err
		}
		if c.Err == nil {
			open = append(open, it)
		}
	}
	if err := memConfirm(open, got); err != nil {
		return err
	}
	return s.check(ctx)
}

// memConfirm says that the source stands by what was given.
func memConfirm(items []cold.Item, got func(cold.Item, *cold.Content) error) error {
	for _, it := range items {
		if err := got(it, nil); err != nil {
			return err
		}
	}
	return nil
}

// brokenReader is a connection that was cut.
type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (m *MemLauncher) find(key string) (MemItem, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range m.items {
		if it.Key == key || it.From == key {
			return *it, true
		}
	}
	return MemItem{}, false
}

func (s *memSession) Settle(ctx context.Context, items []cold.Item, do cold.After) ([]cold.Receipt, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	if s.readOnly {
		return nil, &vaguemestre.Error{Op: "mem: settle", Class: vaguemestre.ClassConfig, Err: errors.New("the session is read-only")}
	}
	if err := s.m.Supports(do); err != nil {
		return nil, err
	}
	var out []cold.Receipt
	for _, it := range items {
		if err := s.check(ctx); err != nil {
			return out, err
		}
		if s.m.OnSettle != nil {
			if err := s.m.OnSettle(it, do); err != nil {
				if vaguemestre.ClassOf(err) == vaguemestre.ClassSource {
					return out, err
				}
				out = append(out, cold.Receipt{Outcome: cold.SettleFailed, Err: err})
				continue
			}
		}
		out = append(out, s.m.settle(it, do))
	}
	return out, nil
}

func (m *MemLauncher) settle(it cold.Item, do cold.After) cold.Receipt {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, mem := range m.items {
		if mem.From == it.Key && mem.Folder != "" && do.Do == cold.DoMove && mem.Folder == do.Target {
			return cold.Receipt{Outcome: cold.SettleDone, Ref: mem.Key}
		}
		if mem.Key != it.Key || mem.Folder != "" {
			continue
		}
		switch do.Do {
		case cold.DoSeen:
			mem.Seen = true
		case cold.DoTag:
			has := false
			for _, t := range mem.Tags {
				has = has || t == do.Target
			}
			if !has {
				mem.Tags = append(mem.Tags, do.Target)
			}
		case cold.DoMove:
			m.next++
			mem.From, mem.Folder = mem.Key, do.Target
			mem.Key = do.Target + ";" + strconv.Itoa(m.next)
			return cold.Receipt{Outcome: cold.SettleDone, Ref: mem.Key}
		case cold.DoDelete:
			m.items = append(m.items[:i], m.items[i+1:]...)
		}
		return cold.Receipt{Outcome: cold.SettleDone}
	}
	return cold.Receipt{Outcome: cold.SettleGone}
}

func (s *memSession) Close() error {
	s.dead = true
	if s.closed {
		return nil
	}
	s.closed = true
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.sessions--
	return nil
}
