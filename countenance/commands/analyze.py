"""``countenance analyze``: find the faces of photos and read them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countenance.commands.arguments import add_model, number

if TYPE_CHECKING:
    from countenance.commands.face_listing import FaceListing

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def add(subparsers: Any) -> None:
    """Add the verb's parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "analyze",
        help="find the faces of photos and read them",
        description="Find the faces of photos; for each: box, landmarks, head pose, gender, age, smile.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="JPEG, PNG, WebP, BMP or TIFF")
    add_model(parser)
    parser.add_argument(
        "--draw", type=Path, metavar="OUT", help="draw the faces: a picture's name for one photo, a folder for several"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.add_argument("--with-embeddings", action="store_true", help="with --json: the identity embeddings, too")
    parser.add_argument(
        "--threshold",
        type=number(float, least=0.0, most=1.0),
        metavar="P",
        help="report faces of at least this probability",
    )
    parser.add_argument(
        "--smallest-face",
        type=number(float, least=8.0),
        metavar="PX",
        help="look for faces of at least so many pixels; larger is quicker",
    )
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Analyse the photos; 1 if one of them could not be."""
    _check(arguments)
    import cv2

    from countenance.analysis.analyzer import FaceAnalyzer
    from countenance.commands.arguments import available_processors
    from countenance.commands.opened_model import open_model
    from countenance.commands.photo_batches import analyze_files

    threads = arguments.threads or available_processors()
    cv2.setNumThreads(threads)
    analyzer = FaceAnalyzer(open_model(arguments.model, threads=threads), _configuration(arguments))
    listing = _listing(arguments)
    whole = True
    listing.begin()
    for analysed in analyze_files(analyzer, arguments.photos):
        if analysed.problem is not None:
            whole = False
            sys.stderr.write(f"{analysed.problem}\n")
        listing.add(analysed)
    listing.end()
    return 0 if whole else 1


def _check(arguments: argparse.Namespace) -> None:
    if arguments.with_embeddings and not arguments.json:
        arguments.parser.error("--with-embeddings needs --json")
    draw: Path | None = arguments.draw
    if draw is None:
        return
    if len(arguments.photos) == 1:
        if not draw.is_dir() and draw.suffix.lower() not in PICTURE_ENDINGS:
            arguments.parser.error(f"--draw {draw}: end it in {', '.join(PICTURE_ENDINGS[:-1])}, or name a folder")
        if draw.resolve() == arguments.photos[0].resolve():
            arguments.parser.error(f"--draw {draw} would replace the photo: name another file")
    elif draw.exists() and not draw.is_dir():
        arguments.parser.error(f"--draw {draw} is a file: for several photos name a folder")


def _configuration(arguments: argparse.Namespace) -> Any:
    from countenance.analysis.configuration import AnalyzerConfiguration

    chosen = {"face_threshold": arguments.threshold, "smallest_face_px": arguments.smallest_face}
    return AnalyzerConfiguration(**{name: value for name, value in chosen.items() if value is not None})


def _listing(arguments: argparse.Namespace) -> FaceListing:
    from countenance.commands.face_listing import FaceListing

    return FaceListing(
        sys.stdout,
        as_json=arguments.json,
        with_embeddings=arguments.with_embeddings,
        draw=arguments.draw,
        draw_is_folder=len(arguments.photos) > 1 or (arguments.draw is not None and arguments.draw.is_dir()),
    )
