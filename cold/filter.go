package cold

// Filters decide by name, media type and size which documents are wanted. The zero
// value wants all.
type Filters struct {
	Include    []Filter // any match takes; empty takes all
	Exclude    []Filter // then any match refuses
	MediaTypes []string // "application/pdf", "image/*"; empty takes all
	MinSize    int64    // bytes; 0 means no bound
	MaxSize    int64    // bytes; 0 means no bound
}

// Filter is a name filter; see ParseFilter.
type Filter struct{}
