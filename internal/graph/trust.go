package graph

// Trusts returns nil if link leads to where c asks, else [ErrLink] or an error of the
// account. It does no I/O: a link is looked at before somebody keeps it.
func (c *Client) Trusts(link string) error {
	p, err := c.find()
	if err != nil {
		return err
	}
	_, err = pin(p.root, link)
	return err
}
