package mailstack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Mail is a mail as it lies in a maildir.
type Mail struct {
	UID   uint32 // 0 as long as the server has not seen it
	Flags string // maildir letters, sorted: "F" flagged, "R" answered, "S" seen, "T" deleted; "a" to "z" are keywords
	Raw   []byte // as on disk
	File  string // path
}

// maildir is the folder on disk: Maildir++ with names in modified UTF-7. The
// hierarchy separator is "/" as in IMAP.
func (s *Stack) maildir(user, folder string) string {
	d := s.path("mail", user, "Maildir")
	if strings.EqualFold(folder, "INBOX") {
		return d
	}
	return filepath.Join(d, "."+strings.ReplaceAll(encodeUTF7(folder), "/", "."))
}

// AddFolder creates a folder, empty.
func (s *Stack) AddFolder(user, folder string) error {
	home := s.path("mail", user)
	dirs := []string{home, filepath.Join(home, "Maildir")}
	d := s.maildir(user, folder)
	for _, p := range []string{s.maildir(user, "INBOX"), d} {
		dirs = append(dirs, p, filepath.Join(p, "cur"), filepath.Join(p, "new"), filepath.Join(p, "tmp"))
	}
	for _, p := range dirs {
		if err := os.MkdirAll(p, 0o700); err != nil {
			return err
		}
		if err := os.Chown(p, s.uid, s.gid); err != nil {
			return err
		}
	}
	if folder == "INBOX" {
		return nil
	}
	return s.write(filepath.Join(d, "maildirfolder"), nil)
}

func (s *Stack) write(file string, b []byte) error {
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return err
	}
	return os.Chown(file, s.uid, s.gid)
}

// fileName is a maildir name that sorts in the order of delivery and carries both
// sizes, so that the server need not read the mail to know them.
func (s *Stack) fileName(size, crlfSize int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return fmt.Sprintf("%d.M%06dP%d.mailstack,S=%d,W=%d", time.Now().Unix(), s.serial, os.Getpid(), size, crlfSize)
}

// Append delivers mails to a folder, made if missing, without any server's help. The
// bytes are stored as they are; the server shows lone LF as CRLF.
func (s *Stack) Append(user, folder string, raw ...[]byte) error {
	if err := s.AddFolder(user, folder); err != nil {
		return err
	}
	d := s.maildir(user, folder)
	for _, r := range raw {
		size := int64(len(r))
		name := s.fileName(size, size+int64(bytes.Count(r, []byte("\n"))-bytes.Count(r, []byte("\r\n"))))
		if err := s.write(filepath.Join(d, "tmp", name), r); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(d, "tmp", name), filepath.Join(d, "new", name)); err != nil {
			return err
		}
	}
	return nil
}

// Link delivers the files of dir, in the order of their names, by hard links where
// the file system allows it: 10,000 mails in less than a second. With links the
// files of dir then belong to the mail user.
func (s *Stack) Link(user, folder, dir string) error {
	if err := s.AddFolder(user, folder); err != nil {
		return err
	}
	des, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	d := s.maildir(user, folder)
	for _, de := range des {
		src := filepath.Join(dir, de.Name())
		b, err := os.ReadFile(src)
		if err != nil {
			return err
		}
		size := int64(len(b))
		name := filepath.Join(d, "new", s.fileName(size, size+int64(bytes.Count(b, []byte("\n"))-bytes.Count(b, []byte("\r\n")))))
		if err := os.Link(src, name); err != nil {
			if err := s.write(name, b); err != nil {
				return err
			}
		} else if err := os.Chown(name, s.uid, s.gid); err != nil {
			return err
		}
	}
	return nil
}

// Folder reads a folder from disk, in the order of UIDs. A folder that does not
// exist is empty. While a server works on the folder a mail may be missed between
// two names; call it when the folder is at rest.
func (s *Stack) Folder(user, folder string) ([]Mail, error) {
	d := s.maildir(user, folder)
	uids, err := readUIDs(filepath.Join(d, "dovecot-uidlist"))
	if err != nil {
		return nil, err
	}
	var out []Mail
	for _, sub := range []string{"new", "cur"} {
		des, err := os.ReadDir(filepath.Join(d, sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		for _, de := range des {
			m := Mail{File: filepath.Join(d, sub, de.Name())}
			if m.Raw, err = os.ReadFile(m.File); errors.Is(err, fs.ErrNotExist) {
				continue // moved meanwhile
			} else if err != nil {
				return nil, err
			}
			base, info, _ := strings.Cut(de.Name(), ":")
			m.UID = uids[base]
			m.Flags = strings.TrimPrefix(info, "2,")
			out = append(out, m)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.UID != b.UID {
			return a.UID != 0 && (b.UID == 0 || a.UID < b.UID)
		}
		return filepath.Base(a.File) < filepath.Base(b.File)
	})
	return out, nil
}

// readUIDs reads Dovecot's list: a header, then "<uid> [keys] :<name>".
func readUIDs(file string) (map[string]uint32, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	m := map[string]uint32{}
	for i, l := range strings.Split(string(b), "\n") {
		left, name, ok := strings.Cut(l, ":")
		if i == 0 || !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.Fields(left + " x")[0], 10, 32)
		if err != nil {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		m[name] = uint32(n)
	}
	return m, nil
}

// Keywords names the keyword letters of a folder: "a" is the first.
func (s *Stack) Keywords(user, folder string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(s.maildir(user, folder), "dovecot-keywords"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var n int
		var k string
		if c, _ := fmt.Sscan(l, &n, &k); c == 2 {
			m[string(rune('a'+n))] = k
		}
	}
	return m, nil
}

// Forget makes the server give the folder another UIDVALIDITY and its mails other
// UIDs. No session may have the folder open.
func (s *Stack) Forget(user, folder string) error {
	d := s.maildir(user, folder)
	old, _ := filepath.Glob(filepath.Join(d, "dovecot*"))
	inbox := strings.EqualFold(folder, "INBOX")
	for _, f := range old {
		n := filepath.Base(f)
		// The counter of UIDVALIDITYs and the subscriptions belong to the account.
		if inbox && strings.HasPrefix(n, "dovecot-uidvalidity") || n == "dovecot-keywords" {
			continue
		}
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return nil
}

// Clear removes all folders and mails of a user. No session may be open.
func (s *Stack) Clear(user string) error {
	return os.RemoveAll(s.path("mail", user))
}

// Folders lists the user's folders but INBOX, by their names on disk, sorted.
func (s *Stack) Folders(user string) ([]string, error) {
	des, err := os.ReadDir(s.path("mail", user, "Maildir"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, de := range des {
		if n := de.Name(); de.IsDir() && strings.HasPrefix(n, ".") {
			out = append(out, decodeUTF7(strings.ReplaceAll(n[1:], ".", "/")))
		}
	}
	slices.Sort(out)
	return out, nil
}
