"""Turn a satellite product and what belongs to it into a scene file."""

from seaice_data.ingest.ingest import (
    IngestedFile,
    IngestReport,
    Sources,
    ingest_products,
    ingest_scene,
)

__all__ = ["IngestReport", "IngestedFile", "Sources", "ingest_products", "ingest_scene"]
