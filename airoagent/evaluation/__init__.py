"""Questions with known answers, asked and scored; a loop without a plan to compare with; a page of the results."""

__all__ = ["question_files", "react", "score_page", "scores"]
