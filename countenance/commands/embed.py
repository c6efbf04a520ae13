"""``countenance embed``: the embeddings of many faces, by one process or by many, continued where it was stopped."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.arguments import DEFAULT_MODEL, available_processors, number

if TYPE_CHECKING:
    from countenance.learning.aligned_crops import CropSource
    from countenance.learning.teachers.teacher import OpenedTeacher

_EPILOG: Final = """\
It can be stopped at any moment and run again, and goes on where it was. So that several processes share the work, run
it under torchrun (torchrun --nproc-per-node 4 -m countenance embed ...), or run it several times, also on
several machines that see the same folder.
"""
_MOST_WORKERS: Final = 16


def add(subparsers: Any) -> None:
    """Add the verb's parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "embed",
        help="write the embeddings of many faces into one file",
        description="Write the embeddings of faces and of their mirror images into one file, row by row.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "photos",
        type=Path,
        metavar="PHOTOS",
        help="a folder of photos (with --points or --aligned), a verification pack (.bin), or a crop store",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help="the faces' five points: IJB's *_name_5pts_score.txt, a .csv with photo and x1 y1 ... x5 y5, or a folder "
        "with a template protocol, whose samples a crop store has by their names",
    )
    which.add_argument(
        "--aligned",
        type=Path,
        metavar="FILE",
        help="the photos are aligned crops of 112 x 112; their names, one a line",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="E.npy", help="the file to write")
    parser.add_argument(
        "--without-mirror-image", action="store_true", help="one embedding a face, [N, D] in place of [N, 2, D]"
    )
    parser.add_argument(
        "--unit-length", action="store_true", help="scale embeddings to unit length; default: as the network gives them"
    )
    parser.add_argument(
        "--record-unusable",
        action="store_true",
        help="record photos that don't decode, and points that are no face's, as failures; default: stop there",
    )
    _add_model(parser)
    _add_work(parser)
    parser.set_defaults(parser=parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        type=Path,
        default=DEFAULT_MODEL,
        metavar="FILE",
        help=f"a recogniser: .onnx, or a checkpoint (.safetensors, .pt, .pth); default: {DEFAULT_MODEL}",
    )
    model.add_argument(
        "--engine",
        choices=("openvino", "onnxruntime", "torch"),
        help="what runs it; default: openvino, or torch with --device cuda",
    )
    model.add_argument(
        "--precision",
        choices=("float32", "bfloat16", "float16", "fastest"),
        default="float32",
        help="of its arithmetic; default: float32, which is alike on every machine",
    )
    model.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of torch; default: cpu")
    model.add_argument("--input-order", choices=("rgb", "bgr"), default="rgb", help="of its channels; default: rgb")
    model.add_argument(
        "--input-mean", type=number(float), metavar="X", help="subtracted from a pixel; default: 127 (.onnx) or 127.5"
    )
    model.add_argument(
        "--input-scale", type=number(float), metavar="X", help="divided by then; default: 128 (.onnx) or 127.5"
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    work = parser.add_argument_group("work")
    work.add_argument(
        "--threads", type=number(int, least=1), metavar="N", help="of the model; default: this process's share of all"
    )
    work.add_argument(
        "--workers", type=number(int, least=1), metavar="N", help="threads that read photos ahead; default: as many"
    )
    work.add_argument("--batch-size", type=number(int, least=1), default=64, metavar="N", help="default: 64")
    work.add_argument("--rank", type=number(int, least=0), metavar="R", help="of this process; default: torchrun's")
    work.add_argument("--world-size", type=number(int, least=1), metavar="W", help="processes; default: torchrun's")


def run(arguments: argparse.Namespace) -> int:
    """Embed the faces."""
    _check(arguments)
    import cv2
    import torch

    from countenance.learning.embedding_extraction import extract_embeddings, process_share

    share = process_share(arguments.rank, arguments.world_size)
    here = max(1, available_processors() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    torch.set_num_threads(arguments.threads or here)
    # The workers are many already.
    cv2.setNumThreads(1)
    embeddings = extract_embeddings(
        _source(arguments),
        _model(arguments),
        arguments.out,
        mirrored=not arguments.without_mirror_image,
        unit_length=arguments.unit_length,
        unusable="record" if arguments.record_unusable else "refuse",
        batch_size=arguments.batch_size,
        workers=arguments.workers or min(here, _MOST_WORKERS),
        share=share,
    )
    if share.rank == 0:
        shape = " x ".join(f"{length:,}" for length in embeddings.values.shape)
        failed = f", failures: {len(embeddings.failures):,}" if embeddings.failures else ""
        sys.stdout.write(f"{arguments.out}: {shape} float32{failed}\n")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.out.suffix != ".npy":
        arguments.parser.error(f"--out {arguments.out}: end it in .npy")
    if (arguments.rank is None) != (arguments.world_size is None):
        arguments.parser.error("--rank and --world-size need each other")
    if arguments.photos.suffix == ".bin" and (arguments.points or arguments.aligned):
        arguments.parser.error("a verification pack has aligned photos of its own: leave --points and --aligned away")


def _source(arguments: argparse.Namespace) -> CropSource:
    from countenance.data.crop_store import CropStore
    from countenance.data.protocols.face_points import read_face_points, read_photo_names, read_row_names
    from countenance.data.protocols.row_origins import TextFile
    from countenance.errors import DataError
    from countenance.learning.aligned_crops import AlignedPictures, PhotosWithPoints, StoredCrops, pack_crops

    photos: Path = arguments.photos
    if photos.suffix == ".bin":
        return pack_crops(photos)
    if not photos.is_dir():
        raise DataError(f"{photos} is no folder of photos and no .bin pack: point it at one.")
    stored = any(photos.glob("crops-*.arrow"))
    if stored and arguments.points is not None:
        store = CropStore(photos)
        return StoredCrops(store, store.rows(list(read_row_names(arguments.points).names)))
    if arguments.points is not None:
        return PhotosWithPoints(photos, read_face_points(arguments.points))
    if arguments.aligned is not None:
        names = read_photo_names(arguments.aligned)
        return AlignedPictures(photos, names, TextFile(arguments.aligned))
    if stored:
        return StoredCrops(CropStore(photos))
    raise DataError(f"Nothing tells where the faces in {photos} lie: give --points, or --aligned.")


def _model(arguments: argparse.Namespace) -> OpenedTeacher:
    import torch

    from countenance.configuration import narrow
    from countenance.learning.teachers.configuration import TeacherConfiguration
    from countenance.learning.teachers.opening import open_teacher

    values = {
        "path": str(arguments.model),
        "engine": arguments.engine or ("torch" if arguments.device == "cuda" else "openvino"),
        "precision": arguments.precision,
        "device": arguments.device,
        "input_mean": arguments.input_mean,
        "input_scale": arguments.input_scale,
        "input_order": arguments.input_order,
    }
    if arguments.device == "cuda" and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    return open_teacher(narrow(TeacherConfiguration, values, where="the options of the model"))
