"""`seaice export`: write a network as ONNX, for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import say, say_json, seconds
from ..options import AsJson


def export(
    run: Annotated[str, typer.Argument(help="Folder or URL of the run")],
    path: Annotated[Path, typer.Argument(help="ONNX file to write")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the best network of a run as ONNX, for programs without seaice or PyTorch.

    A U-Net accepts planes of any height and width, any other network tiles of the size of
    its patches. Channels, their means and standard deviations, the recipe and the class
    names are in the metadata of the file. Before the file is written, its results are
    compared with those of PyTorch. Needs the extra onnx.

    Example: seaice export run/ model.onnx
    """
    from seaice_data.texts import counted
    from seaice_model.runs.onnx_export import export_run

    report = export_run(run, path, overwrite=overwrite)
    if as_json:
        say_json(
            {
                "file": str(report.path),
                "bytes": report.n_bytes,
                "largest_difference": report.largest_difference,
                "sizes": report.sizes,
                "elapsed_s": round(report.elapsed_s, 3),
            }
        )
    else:
        sizes = counted(len(report.sizes), "size")
        say(
            f"{path} written, {report.n_bytes / 1e6:.1f} MB, at most "
            f"{report.largest_difference:.1g} from PyTorch on {sizes}, "
            f"in {seconds(report.elapsed_s)}"
        )
