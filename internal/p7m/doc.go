// Package p7m takes the content out of opaque S/MIME files (smime.p7m, contract.pdf.p7m):
// the SignedData of CMS (RFC 5652), in DER, BER, PEM or bare base64.
//
// It unwraps and verifies nothing: what comes out is what somebody wrapped, no more. It is
// a walker of its own for BER, one way and a few bytes at a time, since smallstep/pkcs7
// holds the file several times in memory and reads certificates that are not needed here.
package p7m
