"""Against a server of our own: what is whole is kept, what was cut short goes on, what is wrong is said."""

import hashlib
import http.server
import threading

import pytest
import scanpy as sc

from scpertbias.ds._download import Remote, fetch

CONTENT = bytes(range(256)) * 40


class Handler(http.server.BaseHTTPRequestHandler):
    ranges: list[str | None] = []
    ignores_ranges = False
    stops_after: int | None = None

    def do_GET(self):
        byte_range = self.headers["Range"]
        type(self).ranges.append(byte_range)
        start = (
            0 if byte_range is None or self.ignores_ranges else int(byte_range.removeprefix("bytes=").removesuffix("-"))
        )
        self.send_response(206 if start else 200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.stops_after])

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def server(tmp_path):
    class Own(Handler):
        ranges = []

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        server.handler, server.url = Own, f"http://127.0.0.1:{server.server_address[1]}/x.h5ad"
        before = sc.settings.datasetdir
        sc.settings.datasetdir = tmp_path / "data"
        yield server
        sc.settings.datasetdir = before
        server.shutdown()
        thread.join()


def remote(server, **kwargs):
    file = {"size": len(CONTENT), "checksum": f"md5:{hashlib.md5(CONTENT).hexdigest()}", **kwargs}
    return Remote(name="x.h5ad", url=server.url, **file)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_is_downloaded_once(server, known):
    file = remote(server) if known else remote(server, size=None, checksum=None)
    path = fetch(file)
    assert path == sc.settings.datasetdir / "x.h5ad"
    assert path.read_bytes() == CONTENT
    assert fetch(file) == path
    assert server.handler.ranges == [None]
    assert [p.name for p in path.parent.iterdir()] == ["x.h5ad"]


@pytest.mark.parametrize("ignores_ranges", [False, True])
def test_a_download_that_was_cut_short_goes_on(server, ignores_ranges):
    server.handler.stops_after = 1000
    with pytest.raises(OSError, match="1000 of 10240 bytes were downloaded; call again"):
        fetch(remote(server))
    assert not (sc.settings.datasetdir / "x.h5ad").exists()
    server.handler.stops_after, server.handler.ignores_ranges = None, ignores_ranges
    assert fetch(remote(server)).read_bytes() == CONTENT
    assert server.handler.ranges == [None, "bytes=1000-"]


def test_a_whole_part_is_taken_as_it_is(server):
    sc.settings.datasetdir.mkdir(parents=True, exist_ok=True)
    (sc.settings.datasetdir / "x.h5ad.part").write_bytes(CONTENT)
    assert fetch(remote(server)).read_bytes() == CONTENT
    assert server.handler.ranges == []


def test_what_is_not_what_was_published_is_not_kept(server):
    with pytest.raises(ValueError, match="differs from the published file.*was deleted"):
        fetch(remote(server, checksum="md5:" + "0" * 32))
    assert not list(sc.settings.datasetdir.iterdir())


def test_without_a_network_the_error_says_what_to_do(tmp_path):
    sc.settings.datasetdir = tmp_path
    file = Remote("x.h5ad", "http://127.0.0.1:9/x.h5ad", 10_661_879_995, "md5:" + "0" * 32)
    with pytest.raises(OSError, match=r"x.h5ad cannot be downloaded.*127.0.0.1:9/x.h5ad \(10.7 GB\).*save it as"):
        fetch(file)
    (tmp_path / "x.h5ad").write_bytes(b"")
    with pytest.raises(OSError, match="cannot be downloaded"):
        fetch(file)  # of another size, it is not the file
