"""Find and fetch what a CI job is to be compared with.

CI servers clone one commit without its history, and the base of a push is not
the base of a pull request. Names and commits come from the variables of GitHub
Actions and GitLab CI, and from the commit itself: a shallow clone still knows
the parents' hashes.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from backbone_bench.base.errors import NotComparable, UserError
from backbone_bench.gate.git import git, succeeds

AUTO = "auto"
_NO_COMMIT = "0" * 40  # in place of the commit before, for a new branch or tag


class BaseRevision(NamedTuple):
    """The base of a comparison: what it is called in reports, and a revision that git knows here."""

    name: str
    revision: str


def resolve(revision: str, folder: Path, environ: Mapping[str, str]) -> BaseRevision:
    """The revision to compare with, fetched in a CI job if git does not know it; `auto` finds it by the job.

    Raises UserError for `auto` outside of CI, and NotComparable if there is nothing to compare with.
    """
    if revision != AUTO:
        return (is_ci(environ) and _known(folder, BaseRevision(revision, revision))) or BaseRevision(revision, revision)
    if not is_ci(environ):
        raise UserError("--base-ref auto finds the base of a CI job, and this is none: name a revision.")
    for candidate in _candidates(folder, environ):
        if found := _known(folder, candidate):
            return found
    raise NotComparable("Nothing comes before this commit, so there is nothing to compare with.")


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of a CI server."""
    return environ.get("CI") == "true"


def _candidates(folder: Path, environ: Mapping[str, str]) -> Iterator[BaseRevision]:
    """What the job may be compared with, the best first."""
    parents = _parents(folder)
    target = environ.get("GITHUB_BASE_REF") or environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
    if target:
        if len(parents) > 1:  # the server merged the pull request into the base branch, and tests that
            yield BaseRevision(target, parents[0])
        if merge_base := environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"):
            yield BaseRevision(target, merge_base)
        yield BaseRevision(target, target)
    before = _before(environ)
    if before and before != _NO_COMMIT:
        yield BaseRevision("the commit before the push", before)
    if parents:
        yield BaseRevision("the commit before", parents[0])


def _before(environ: Mapping[str, str]) -> str:
    """The commit that the branch had before a push or a merge queue; empty if the server names none."""
    if not (path := environ.get("GITHUB_EVENT_PATH")):
        return environ.get("CI_COMMIT_BEFORE_SHA", "")
    event: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return str(event.get("merge_group", {}).get("base_sha") or event.get("before") or "")


def _parents(folder: Path) -> list[str]:
    """The hashes of the parents of HEAD, which git hides in a shallow clone."""
    header, _, _ = git(folder, "cat-file", "commit", "HEAD").partition("\n\n")
    return [line.removeprefix("parent ") for line in header.splitlines() if line.startswith("parent ")]


def _known(folder: Path, base: BaseRevision) -> BaseRevision | None:
    """The base with a revision that git knows, fetched from `origin` if need be; None if it cannot be had."""
    if succeeds(folder, "rev-parse", "--verify", "--quiet", f"{base.revision}^{{commit}}"):
        return base
    shallow = ["--depth=1"] if git(folder, "rev-parse", "--is-shallow-repository") == "true" else []
    wanted = base.revision.removeprefix("origin/")
    if not succeeds(folder, "fetch", "--quiet", "--no-tags", *shallow, "origin", "--", wanted):
        return None
    return base._replace(revision=git(folder, "rev-parse", "FETCH_HEAD^{commit}"))
