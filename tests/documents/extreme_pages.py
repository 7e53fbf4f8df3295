"""What, written thousands of times, makes careless code slow or breaks it."""

FILL = "<p>The old mill stood by the weir for three hundred years, and nobody remembered who had built it.</p>" * 3

SHAPES = {
    "deep": "<div>",
    "words": "word ",
    "paragraphs": FILL,
    "links": "<a href=x>link</a> ",
    "open links": "<a href=x>",
    "lists": "<ul><li><a href=x>a</a></li></ul>",
    "related": "<h2>Related</h2><ul><li><a href=/x>abc</a></li></ul>",
    "comments": f"<div class=comment>{FILL}</div>",
    "tables": "<table><tr><td>a<td>b</table>",
    "cells": "<table><tr><td>",
    "styles": "<style>.a{display:none}</style>",
    "bold": "<b>Comments</b>",
    "pre": "<pre>",
    "breaks": "<br>",
    "cookies": "<div><p>We use cookies, accept all?</p></div>",
    "ends": "</div></p>",
    "tags": "<",
    "refs": "&amp;",
    "attributes": "<p style='left:-9999px' class='a b c' id=x>t",
    "definitions": "<dl><dt>a<dd>b",
    "items": "<li>x",
}
