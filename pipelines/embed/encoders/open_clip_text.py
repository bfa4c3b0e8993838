"""Open the text transformer of an open_clip model.

Methods that learn prompts pass gradients through it.
"""

from __future__ import annotations

from typing import Any

from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import TextTransformer, Transformer

from data_manifests.errors import UsageError
from pipelines.methods.text_tower import TextTower


def open_text_tower(model: Any, tokenizer: Any, name: str) -> TextTower:
    """Return the text tower of an open_clip model.

    The text parts are attributes of the model itself in a ``CLIP``, and of its ``text`` in a ``CustomTextCLIP``.

    Args:
        model: an open_clip model.
        tokenizer: the model's own tokenizer.
        name: of the model, for messages.

    Raises:
        UsageError: the tower is not a causal transformer that is read at the end-of-text token.
    """
    own = hasattr(model, "token_embedding")
    text: Any = model if own else getattr(model, "text", None)
    pool = getattr(text, "text_pool_type" if own else "pool_type", None)
    if not own and not isinstance(text, TextTransformer):
        problem = f"its text tower is {type(text).__name__}"
    elif not isinstance(text.transformer, Transformer):
        problem = f"its text transformer is {type(text.transformer).__name__}"
    elif text.attn_mask is None:
        problem = "its text transformer looks both ways"
    elif getattr(text, "cls_emb", None) is not None:
        problem = "its text vector is read at a class token"
    elif pool != "argmax":
        problem = f"its text vector is read by {pool!r}, not at the end of the text"
    elif not isinstance(tokenizer, SimpleTokenizer):
        problem = f"its tokenizer is {type(tokenizer).__name__}"
    else:
        return TextTower(
            name,
            text.token_embedding,
            text.positional_embedding,
            text.transformer,
            text.ln_final,
            text.text_projection,
            text.attn_mask,
            tokenizer,
        )
    raise UsageError(
        f"{name}: {problem}. Methods that learn prompts need a causal text transformer read at the end of the text, "
        "as CLIP's. Use such an encoder, or a method that takes text vectors as they are: xmic, zero-shot."
    )
