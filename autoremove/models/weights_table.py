"""The table of weights known by name: where they come from, their hashes, their licences."""

from __future__ import annotations

from dataclasses import dataclass

from autoremove.models.families import NEIGHBOURS

KINDS = ("detector", "rescorer", "segmenter", "masknet", "inpainter", *NEIGHBOURS)
"""What weights are for; ``inpainter`` are those of DeepFillv2, its neighbours go by their own names."""

_ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download/v8.3.0"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything"
_MMAGIC = "https://download.openmmlab.com/mmediting/inpainting"
_DAA233 = "https://github.com/daa233/generative-inpainting-pytorch"
_EDGECONNECT = "https://github.com/knazeri/edge-connect"
_NIPPONJO = "https://github.com/nipponjo/deepfillv2-pytorch"
_LORNATANG = "https://huggingface.co/ChangyuLiu/SRGAN-PyTorch"
_CSQIANGWEN = "https://github.com/csqiangwen/DeepFillv2_Pytorch"


@dataclass(frozen=True)
class Weights:
    """One set of weights.

    ``kind`` is what it does (one of ``KINDS``), ``network`` how it is loaded. ``file`` is its name in the
    weights folder. ``url`` None: it is shipped (``embedded``) or must be fetched by hand from ``page``.
    ``sha256`` is the full hash, ``sha256_prefix`` the part that its publisher puts in the file name,
    ``size`` the bytes; None where nothing is published. ``commercial``: the licence allows commercial use.
    """

    name: str
    kind: str
    network: str
    file: str
    url: str | None = None
    page: str | None = None
    sha256: str | None = None
    sha256_prefix: str | None = None
    md5: str | None = None
    size: int | None = None
    licence: str = ""
    commercial: bool = True
    note: str = ""

    @property
    def embedded(self) -> bool:
        """Shipped inside the package."""
        return self.name == "embedded"


def _embedded(kind: str, network: str, file: str, licence: str) -> Weights:
    note = "trained for this project; its model card lies beside it"
    return Weights("embedded", kind, network, file, licence=licence, note=note)


def _yolo(size: str, segments: bool, size_bytes: int, sha256: str) -> Weights:
    name = f"yolo11{size}-seg" if segments else f"yolo11{size}"
    return Weights(
        name,
        "segmenter" if segments else "detector",
        "yolo",
        f"{name}.pt",
        url=f"{_ULTRALYTICS}/{name}.pt",
        sha256=sha256,
        size=size_bytes,
        licence="AGPL-3.0",
        note="80 COCO classes; the AGPL asks who offers it over a network to offer the source too",
    )


def _sam(size: str, md5: str, size_bytes: int, sha256: str) -> Weights:
    # The six digits in Meta's file names are the start of the md5, not of the sha256.
    return Weights(
        f"sam-vit-{size}",
        "segmenter",
        "sam",
        f"sam_vit_{size}_{md5[:6]}.pth",
        url=f"{_SAM}/sam_vit_{size}_{md5[:6]}.pth",
        sha256=sha256,
        md5=md5,
        size=size_bytes,
        licence="Apache-2.0",
        note="masks from boxes",
    )


def _mmagic(name: str, network: str, path: str, kind: str | None = None) -> Weights:
    """A checkpoint of MMagic, whose file names end in the first digits of their hash."""
    file = path.rpartition("/")[2]
    return Weights(
        name,
        kind or network,
        network,
        file,
        url=f"{_MMAGIC}/{path}",
        sha256_prefix=file.removesuffix(".pth").rpartition("-")[2],
        licence="Apache-2.0",
        note="of MMagic; only the first 8 digits of its hash are published",
    )


def _by_hand(name: str, network: str, file: str, page: str, licence: str, commercial: bool = True) -> Weights:
    """A checkpoint with neither a lasting address nor a published hash."""
    note = "by hand" if commercial else "non-commercial; by hand"
    return Weights(name, network, network, file, page=page, licence=licence, commercial=commercial, note=note)


def _nipponjo(spelling: str, data: str, drive: str) -> Weights:
    return Weights(
        f"deepfillv2-{spelling}-{data}",
        "inpainter",
        "deepfillv2",
        f"states_{spelling}_{data}.pth",
        page=f"{_NIPPONJO} (Google Drive file {drive})",
        licence="none given; the official weights it derives from are CC BY-NC 4.0",
        commercial=False,
        note="non-commercial; by hand",
    )


def _lornatang(name: str, file: str) -> Weights:
    return Weights(
        name,
        "srgan",
        "srgan",
        file,
        page=_LORNATANG,
        licence="Apache-2.0",
        note="by hand, for no hash is published",
    )


def _edgeconnect(data: str, drive: str) -> Weights:
    """Its two files, ..._EdgeModel_gen.pth and ..._InpaintingModel_gen.pth, belong side by side."""
    file = f"edgeconnect_{data}_InpaintingModel_gen.pth"
    beside = file.replace("Inpainting", "Edge")
    page = f"{_EDGECONNECT} (Google Drive folder {drive}: both files, the other as {beside})"
    return _by_hand(f"edgeconnect-{data}", "edgeconnect", file, page, "CC BY-NC 4.0", commercial=False)


TABLE: tuple[Weights, ...] = (
    # The detector is a YOLO network trained with ultralytics, hence its licence.
    _embedded("detector", "yolo", "detector.safetensors", "AGPL-3.0"),
    _embedded("rescorer", "rescorer", "rescorer.safetensors", "AGPL-3.0"),
    _embedded("masknet", "masknet", "masknet.safetensors", "as the project"),
    _embedded("inpainter", "deepfillv2", "deepfillv2.safetensors", "as the project"),
    _embedded("edgeconnect", "edgeconnect", "edgeconnect.safetensors", "as the project"),
    _embedded("partialconv", "partialconv", "partialconv.safetensors", "as the project"),
    _embedded("gain", "gain", "gain.safetensors", "as the project"),
    _embedded("deepfillv1", "deepfillv1", "deepfillv1.safetensors", "as the project"),
    _embedded("glcic", "glcic", "glcic.safetensors", "as the project"),
    _embedded("srgan", "srgan", "srgan.safetensors", "as the project"),
    _lornatang("srresnet-x4-imagenet", "SRResNet_x4-ImageNet.pth.tar"),
    _lornatang("srgan-x4-imagenet", "SRGAN_x4-ImageNet.pth.tar"),
    _yolo("n", False, 5613764, "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"),
    _yolo("s", False, 19313732, "85a76fe86dd8afe384648546b56a7a78580c7cb7b404fc595f97969322d502d5"),
    _yolo("m", False, 40684120, "d5ffc1a674953a08e11a8d21e022781b1b23a19b730afc309290bd9fb5305b95"),
    _yolo("l", False, 51387343, "9ebd0e09d59811db4b1d61e2bc6730649608b1ac47f8dd01e2da6bca7c20023f"),
    _yolo("x", False, 114636239, "7bc158aa95c0ebfdd87f70f01653c1131b93e92522dbe15c228bcd742e773a24"),
    _yolo("n", True, 6182636, "55ed65c56c91713d23e8402371c6c49a6fd84f257f7dce452e8d70e41dcbe152"),
    _yolo("s", True, 20669228, "1caa81c0195412efa411b632bcfb8c184939dddb6ae41f6a80c41b211ff257c3"),
    _yolo("m", True, 45400152, "eb9a06f63e2206c35d68d839b08c362429ebecf933ad54c1ad68b2fd001c17cf"),
    _yolo("l", True, 56096965, "cabe90049795dfc9a370b7934d6dec7f6b9e44a20e573b0ff81b7e205512c872"),
    _yolo("x", True, 125090821, "4e53a5f5fd3ee2ae3361c62169c6bb3ed4ae251dd0e57606e230955aa52d919c"),
    _sam(
        "b",
        "01ec64d29a2fca3f0661936605ae66f8",
        375042383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _sam(
        "l",
        "0b3195507c641ddb6910d2bb5adee89c",
        1249524607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _sam(
        "h",
        "4b8939a88964f0f4ff5f5b2642c598a6",
        2564550879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    _mmagic(
        "deepfillv2-places",
        "deepfillv2",
        "deepfillv2/deepfillv2_256x256_8x2_places_20200619-10d15793.pth",
        "inpainter",
    ),
    _mmagic(
        "deepfillv2-celeba",
        "deepfillv2",
        "deepfillv2/deepfillv2_256x256_8x2_celeba_20200619-c96e5f12.pth",
        "inpainter",
    ),
    _nipponjo("tf", "places2", "1tvdQRmkphJK7FYveNAKSMWC6K09hJoyt"),
    _nipponjo("tf", "celebahq", "1fTQVSKWwWcKYnmeemxKWImhVtFQpESmm"),
    _nipponjo("pt", "places2", "1L63oBNVgz7xSb_3hGbUdkYW1IuRgMkCa"),
    _nipponjo("pt", "celebahq", "17oJ1dJ9O3hkl2pnl8l2PtNVf2WhSDtB7"),
    Weights(
        "deepfillv2-csqiangwen",
        "inpainter",
        "deepfillv2",
        "deepfillv2_WGAN_G_epoch40_batchsize4.pth",
        page=f"{_CSQIANGWEN} (Google Drive file 1uMghKl883-9hDLhSiI8lRbHCzCmmRwV-)",
        licence="MIT",
        note="by hand",
    ),
    _mmagic(
        "partialconv-places",
        "partialconv",
        "pconv/pconv_256x256_stage2_4x2_places_20200619-1ffed0e8.pth",
    ),
    _mmagic(
        "partialconv-celeba",
        "partialconv",
        "pconv/pconv_256x256_stage2_4x2_celeba_20200619-860f8b95.pth",
    ),
    _by_hand(
        "partialconv-naoto0804",
        "partialconv",
        "1000000.pth",
        "https://github.com/naoto0804/pytorch-inpainting-with-partial-conv",
        "MIT",
    ),
    _mmagic(
        "deepfillv1-places",
        "deepfillv1",
        "deepfillv1/deepfillv1_256x256_8x2_places_20200619-c00a0e21.pth",
    ),
    _mmagic(
        "deepfillv1-celeba",
        "deepfillv1",
        "deepfillv1/deepfillv1_256x256_4x4_celeba_20200619-dd51a855.pth",
    ),
    _by_hand(
        "deepfillv1-daa233",
        "deepfillv1",
        "deepfillv1_daa233_imagenet.pt",
        f"{_DAA233} (Google Drive file 1qbfA5BP9yzdTFFmiOTvYARUYgW1zwBBK)",
        "MIT",
    ),
    _mmagic("glcic-places", "glcic", "global_local/gl_256x256_8x12_places_20200619-52a040a8.pth"),
    _mmagic("glcic-celeba", "glcic", "global_local/gl_256x256_8x12_celeba_20200619-5af0493f.pth"),
    _edgeconnect("places2", "158ch9Psjop0mQEdeIp9DKjrYIGTDsZKN"),
    _edgeconnect("celeba", "13JgMA5sKMYgRwHBp4f7PBc5orNJ_Cv-p"),
    _edgeconnect("psv", "1hMGVz6Ck3erpP3BRNzG90HNCJl85kveN"),
)
