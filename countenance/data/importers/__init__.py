"""Importers: one file a source, all giving the same labelled photos.

An importer reads labels only; :mod:`countenance.data.ingestion` decodes, crops and writes.
"""
