package auth

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
)

// Memory is a [Store] that forgets at the end of the process, for tests and for grants of
// an application. The zero value is empty and ready.
type Memory struct {
	mu     sync.Mutex
	values map[string]memoryValue
	locks  map[string]chan struct{} // full: held
}

type memoryValue struct {
	value []byte // nil: removed
	rev   int64
}

var _ Store = (*Memory)(nil)

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, name string) ([]byte, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.values[name]
	if v.value == nil {
		return nil, 0, nil
	}
	return append([]byte{}, v.value...), v.rev, nil
}

// Save implements [Store].
func (m *Memory) Save(ctx context.Context, name string, value []byte, rev int64) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.values[name]
	stored := v.rev
	if v.value == nil {
		stored = 0
	}
	if stored != rev {
		return 0, ErrConflict
	}
	if m.values == nil {
		m.values = map[string]memoryValue{}
	}
	v = memoryValue{value: slices.Clone(value), rev: v.rev + 1} // of an empty value: empty
	m.values[name] = v
	return v.rev, nil
}

// Lock implements [Store]; it holds within this process.
func (m *Memory) Lock(ctx context.Context, name string) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	l, ok := m.locks[name]
	if !ok {
		if m.locks == nil {
			m.locks = map[string]chan struct{}{}
		}
		l = make(chan struct{}, 1)
		m.locks[name] = l
	}
	m.mu.Unlock()
	select {
	case l <- struct{}{}:
		return sync.OnceFunc(func() { <-l }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// String tells nothing of the values.
func (m *Memory) String() string { return "tokens in memory" }

// Format writes String, whatever the verb.
func (m *Memory) Format(f fmt.State, _ rune) { io.WriteString(f, m.String()) }
