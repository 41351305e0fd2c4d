// Package helios reads PES V2, the messages between a local authority and its accountant
// (DGFiP, "Protocole d'Échange Standard"): PES_Aller, PES_Retour, PES_ACQUIT of both
// versions, PES_ACQUIT_RETOUR and the legacy PES_NonAcquit and PES.
//
//	flow, err := helios.Decode(ctx, file, &helios.Options{Out: func(f *payload.File, content io.Reader) error {
//		return store(f.Name, content)
//	}})
//
// A file is read as a stream and once: neither 500 attached documents nor one of 90 MB need
// more memory than a few megabytes, since a document is spooled to a temporary file until the
// names that follow it are known. Nothing is validated: what is against the schema (v5.17)
// is read all the same and told in [Flow.Deviations]. Signatures are reported, not verified;
// the file itself, unchanged, is what to keep beside the decoded view.
package helios
