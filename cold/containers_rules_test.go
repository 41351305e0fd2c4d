package cold

import "testing"

// The fingerprint of a job without containers is what it was before there were any, so that
// no ledger is examined anew; with them it is another, whatever their order.
func TestRulesOfContainers(t *testing.T) {
	t.Parallel()
	rules := func(take Take) string { return (&Job{Name: "x", Take: take}).rules() }
	if got := rules(Take{}); got != "c9aea63c0e4cb4ce" {
		t.Errorf("by default: %s", got)
	}
	if got := rules(Take{Attachments: true, Inline: true, EML: true, Nested: NestedBoth, Containers: []Container{}}); got != "b0f85847d709800c" {
		t.Errorf("with much taken: %s", got)
	}
	zip, both := rules(Take{Containers: []Container{ContainerZip}}), rules(Take{Containers: []Container{ContainerZip, ContainerTNEF}})
	if zip == rules(Take{}) || zip == both {
		t.Errorf("containers are not told apart: %s, %s", zip, both)
	}
	if got := rules(Take{Attachments: true, Containers: []Container{ContainerTNEF, ContainerZip, ContainerTNEF}}); got != both {
		t.Errorf("another order: %s, want %s", got, both)
	}
}
