"""Turn a satellite product and what belongs to it into a scene file."""

from seaice_data.ingest.ingest import (
    IngestedFile,
    IngestReport,
    ingest_products,
    ingest_scene,
)
from seaice_data.ingest.sources import Sources

__all__ = ["IngestReport", "IngestedFile", "Sources", "ingest_products", "ingest_scene"]
