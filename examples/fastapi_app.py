"""An endpoint that answers questions with sources: uvicorn fastapi_app:app, then POST {"question": "..."} to /ask."""

from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from airoagent import Agent, Policy

app = FastAPI()
agent = Agent(docs=[Path(__file__).parent / "library"], policy=Policy(limit_seconds=60))  # shared by all requests


class Question(BaseModel):
    """The body of a request."""

    question: str


@app.post("/ask")
async def ask(body: Question) -> dict[str, object]:
    """Answer a question; 502 with the reason if the run failed."""
    run = await agent.arun(body.question)
    if run.failure:
        raise HTTPException(502, f"{run.failure.message} ({run.failure.hint})")
    sources = [{"url": source.url, "quote": source.quote} for source in run.sources]
    return {"answer": run.answer, "answered": run.answered, "sources": sources, "run": run.id}
