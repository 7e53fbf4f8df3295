"""Questions with known answers, asked and scored; a loop without a plan to compare with; a page of the results."""

__all__ = ["inspect_log", "question_files", "react", "score_page", "scores"]
