"""The film: whole in itself, the right points in every frame, described for those who cannot see it."""

import json
import re

import pytest
import torch

from hyplearn.viz import Film


def film(**options):
    frames = [torch.tensor([[0.0, 0.0], [0.5, -0.25]]), torch.tensor([[0.1, 0.0], [0.6, 0.3]])]
    given = dict(
        captions=["one", "two </script>"], colors=["blue", "red"], labels={1: "cat & dog"}, alt="Two points that move"
    )
    return Film(frames, torch.tensor([[1, 0]]), **given | options)


def test_the_page_holds_every_frame_and_needs_no_network():
    page = film().page()
    assert "http" not in page and "src=" not in page and page.count("</script>") == 1
    data = json.loads(re.search(r"const film = (\{.*?\});", page)[1].replace("<\\/", "</"))
    assert data["frames"] == [[0, 0, 5000, -2500], [1000, 0, 5999, 3000]]
    assert data["edges"] == [[1, 0]] and data["labels"] == [[1, "cat & dog"]]
    assert data["captions"][1] == "two </script>" and len(data["colors"]) == 2


def test_a_notebook_shows_it_and_says_what_it_is():
    data, metadata = film()._repr_mimebundle_()
    assert data["text/html"].startswith("<iframe title='Two points that move'") and "'" not in film().page()
    assert data["text/plain"] == "[film: Two points that move]" and metadata["text/html"]["alt"]
    with pytest.raises(ValueError, match="alt must describe"):
        film(alt="")
