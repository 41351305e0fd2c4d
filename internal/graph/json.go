package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// JSON is Do for an answer that is read whole, up to 32 MiB, into out; nil discards it. An
// answer that Accept lists, or one of 202 or 204 without a body, leaves out as it is. What
// cannot be read is asked for again, unless Once.
func (c *Client) JSON(ctx context.Context, r *Request, out any) error {
	_, err := c.run(ctx, r, false, func(resp *http.Response) error { return readJSON(resp, out) })
	return err
}

func readJSON(resp *http.Response, out any) error {
	if out == nil || resp.StatusCode/100 != 2 {
		// Read to its end, so that the connection can be used again; what it says counts no more.
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxFault))
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON+1))
	switch {
	case err != nil:
		return err
	case int64(len(data)) > maxJSON:
		return fmt.Errorf("the answer has more than %d MiB", maxJSON>>20)
	case len(data) == 0 && (resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent):
		return nil
	case len(data) == 0:
		return errors.New("the answer is empty")
	}
	if err := json.Unmarshal(data, out); err != nil {
		// The text of err may hold what the answer says.
		return errors.New("the answer is no JSON that is understood: see whether a proxy is in the way")
	}
	return nil
}
