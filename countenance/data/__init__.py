"""Where faces come from: the manifest, the crop store, alignment, importers, embedded people."""
