"""Who asks: the language of the visitor, kept in a cookie that holds nothing else."""

from __future__ import annotations

from flask import has_request_context, request

from dashboards.words import LANGUAGES, Words, words_in
from pathways.definition import Language


def visitor_language() -> Language:
    """Return the language that the visitor chose; French when none was chosen, or outside a request."""
    asked = request.cookies.get("language") if has_request_context() else None
    return next((language for language in LANGUAGES if language == asked), LANGUAGES[0])


def visitor_words() -> Words:
    """Return the words of the visitor's language."""
    return words_in(visitor_language())
