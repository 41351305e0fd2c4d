// Package actes reads what town halls and prefectures exchange under the norm ACTES (also
// written @CTES): deliberations and other acts on their way to the control of legality, the
// acknowledgements, anomalies and letters that come back, and the lists that acts are
// classified by.
//
//	m, err := actes.Decode(ctx, file, nil)                  // one XML, envelope or message
//	a, err := actes.DecodeArchive(ctx, file, &actes.Options{Out: save}) // the tar.gz, either way
//
// It reads the norm of 2004 and the revision of 2018 as one, and what the field makes of
// them: any prefix, any charset, missing and repeated elements. What is against the norm is
// told in Deviations and never a reason to refuse; [ErrNotActes] is what a file of another
// kind gives. Words of the norm stay French (objet, matière, annexe), and scalars stay
// strings as they were written.
//
// Signatures are reported, never verified. Who is to be called, at which telephone and mail
// address, is read only when [Options].Personal asks for it.
package actes
