"""Erasure: one person's crops, rows, embeddings and templates leave every store and every version."""
