"""From the journal of a run to a page that opens from disk: what was removed, and how long it took."""
