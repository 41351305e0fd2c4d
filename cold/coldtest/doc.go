// Package coldtest proves launchers, sinks, ledgers and decoders of one's own: each
// suite checks the contract of an interface of package cold sentence by sentence, and
// each case quotes the sentence that it checks. The suites are themselves tested: they
// fail on dozens of implementations that are wrong on purpose.
//
//	func TestBox(t *testing.T) {
//		coldtest.TestLauncher(t, func(t *testing.T) coldtest.LauncherHarness { return newBoxHarness(t) })
//	}
//
//	func TestArchive(t *testing.T) {
//		coldtest.TestSink(t, func(t *testing.T) coldtest.SinkHarness { … })
//	}
//
//	func TestMbox(t *testing.T) {
//		coldtest.TestDecoder(t, Mbox{}, coldtest.DecoderCase{Name: "two.mbox", Data: two, Want: …})
//	}
//
// A harness gives the implementation and a second way to look at what it did; what it
// cannot do it leaves nil, and the cases that need it say that they were skipped.
//
// [MemLauncher] is a launcher whose source lies in memory, with faults that a test can
// script: for the tests of hosts and of jobs. Together with [cold.NewMemoryLedger] a job
// runs without any server.
//
// The package imports testing, so production code must not import it.
package coldtest
