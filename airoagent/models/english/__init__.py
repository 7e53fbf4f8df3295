"""The English that the built-in model knows: words and their groups, questions, sentences, spans, and how they meet.

From the bottom: `words` and `thesaurus` (data), `questions`, `analysis`,
`parts` and `comparing` (what is asked), `passages` (what is given),
`spans`, `names` and `amounts` (what could be an answer), `ranking` (which sentence), `shapes`, `fitting`, `tables` and
`judging` (which span), `sayings` (answers that are no span). No facts about the world, no files, no state.
"""
