"""Every code of a problem, what it means and what to do; the page ``/problems`` shows them, ``type`` leads there.

``python -m stream_app.infra.http.codes`` writes the same as docs/errors.md.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

#: Path of the page; the fragment is the code.
PATH: Final = "/problems"

#: Status and meaning of each code. A code has one status, whatever route answers it.
CODES: Final[dict[str, tuple[int, str]]] = {
    "bad_request": (400, "The request is not HTTP as it should be, or a form that cannot be read. Correct the client."),
    "unauthenticated": (401, "There is no valid key or token. Send `Authorization: Bearer …` or `X-API-Key`."),
    "forbidden": (403, "The key's scopes do not allow this. Use a key with the scope that `detail` names."),
    "foreign_hop": (403, "A worker asks with another secret. Set the same `STREAM_HTTP__SECRET_FILE` on all."),
    "foreign_origin": (403, "A page of another origin tries to write. List it in `STREAM_HTTP__CORS_ORIGINS`."),
    "unknown_path": (404, "There is nothing at this path. `/docs` lists what there is."),
    "unknown_dead_letter": (404, "There is no such dead letter: it never was, or the topic keeps it no longer."),
    "unknown_asset": (404, "No worker has the asset: no row of it was processed. Check the id, and the dead letters."),
    "unknown_task": (404, "There is no such upload: it never was, or it has been forgotten."),
    "unknown_window_size": (404, "The asset has no windows of this size; `detail` names those it has."),
    "method_not_allowed": (405, "The path does not take this method; the header `Allow` names those it takes."),
    "body_too_slow": (408, "The request did not come in time. Send it faster, or in parts."),
    "key_reused": (409, "A request with this `Idempotency-Key` had another body. Send it under a key of its own."),
    "outcome_unknown": (
        409,
        "A request with this `Idempotency-Key` was broken off: some of its rows may count. Look, then use another key.",
    ),
    "changed_meanwhile": (412, "`If-Match` is not the present ETag. Read the spec again, then decide."),
    "body_too_large": (413, "The body is larger than the path takes. Send it in parts, or raise the limit."),
    "wrong_content_type": (415, "The path does not take this content type; `detail` names what it takes."),
    "wrong_content_encoding": (
        415,
        "The body is compressed in a way that is not read. Send gzip, zstd, or it as it is.",
    ),
    "wrong_host": (421, "The name in `Host` is not this server's. List it in `STREAM_HTTP__ALLOWED_HOSTS`."),
    "bad_arrow": (422, "The Arrow stream cannot be read."),
    "bad_body": (422, "The body is JSON of another form than rows."),
    "bad_control": (422, "The control record is not valid."),
    "bad_csv": (422, "The file is not a table; `row` is where reading broke off."),
    "bad_cursor": (422, "The cursor is none that a page gave as `next_cursor`. Leave it out for the first page."),
    "bad_header": (422, "The file's header does not name its columns."),
    "bad_json": (422, "The body is not JSON; `detail` tells where."),
    "bad_number": (422, "A cell is no number."),
    "bad_request_field": (422, "A parameter or a field is wrong; `column` names the first, `errors` all."),
    "bad_row": (422, "A row is not as the contract says; `row` and `column` tell where."),
    "bad_spec": (422, "The file's spec is wrong; `detail` names the field."),
    "bad_time_range": (422, "The time that was asked for is empty, or has too many windows; `detail` tells the cure."),
    "bad_timestamp": (422, "A stamp is none that is known. Send ISO 8601 with its offset."),
    "bad_window_size": (422, "A window size is a number and s, m, h or d, such as 15m."),
    "clock_goes_back": (422, "The file's stamps go back without a cause that is known."),
    "empty_message": (422, "There are no rows."),
    "implausible_time": (422, "A stamp is before 1990, after 2200, or far ahead of the clock."),
    "key_mismatch": (422, "The key does not name the asset of the rows."),
    "missing_column": (422, "The file lacks a column that is needed."),
    "no_asset": (422, "Nothing names the asset of the rows."),
    "no_header": (422, "The file has no header."),
    "no_rows": (422, "There are no rows: nothing to compute."),
    "not_text": (422, "The file is not a text, or in an encoding that is not known."),
    "offset_beyond_end": (
        422,
        "`min_offset` is not in the log: nothing has been written there. Use the offset of a 202.",
    ),
    "out_of_range": (422, "A reading is not plausible. Check its unit, or send null."),
    "repeated_field": (422, "A parameter or a form field comes more than once. Send it once."),
    "reserved_asset": (422, "The asset is an upload, which the service alone writes. Name the asset otherwise."),
    "several_assets": (422, "The file holds rows of several assets. Upload a file of each."),
    "unknown_metric": (422, "There is no such metric, or it is a list. `/api/v1/catalogue` lists the metrics."),
    "span_not_divisible": (422, "No window size of the asset divides the span. Ask for a multiple of one."),
    "span_not_kept": (422, "The span reaches beyond the closed windows that are kept; `detail` names what they make."),
    "unknown_parameter": (422, "The query has a name that the path does not know; `detail` lists those it knows."),
    "windows_fixed": (422, "The window sizes of an asset with rows cannot change."),
    "too_many_requests": (429, "The key or the address asks too often. Wait as `Retry-After` says."),
    "headers_too_large": (431, "The request's headers are too large. Send fewer."),
    "unexpected": (500, "Something unexpected happened; the log has it under `X-Request-ID`. Please report it."),
    "no_history_store": (
        501,
        "The deployment has no history store. Set `STREAM_HISTORY__URL` and run `stream-app history`.",
    ),
    "broker_unavailable": (503, "Kafka does not answer. Ask again; of rows some may be stored."),
    "corrupt_state": (503, "A stored state cannot be read; `detail` tells the cure."),
    "history_unavailable": (503, "The history store does not answer; `detail` tells where it is. Ask again."),
    "metric_not_compiled": (503, "A metric could not be compiled; `detail` tells why."),
    "not_processed_yet": (503, "`min_offset` is not processed yet. Ask again."),
    "not_ready": (503, "The worker is starting, recovering or stopping. Ask again."),
    "owner_unreachable": (
        503,
        "The worker that would know does not answer; or it is the one that was asked, and its place in the consumer "
        "group is not proven. Ask again.",
    ),
    "too_many_uploads": (503, "Very many files are being read. Send the file later, or to another worker."),
    "unknown_state_format": (503, "A stored state is of a newer release. Start that one."),
    "no_space": (507, "There is no room for the file. Send it later, or raise `STREAM_HTTP__UPLOAD_QUOTA_BYTES`."),
}


def page() -> str:
    """The page as HTML, an entry per code with the code as its id."""
    entries = "".join(
        f'<dt id="{code}"><a href="#{code}">{code}</a> ({status})</dt><dd>{escape(meaning)}</dd>'
        for code, (status, meaning) in sorted(CODES.items())
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Problems</title></head><body>'
        "<h1>Problems</h1><p>Every error is a problem (RFC 9457): <code>code</code> is its stable name, "
        f"<code>detail</code> tells what happened and the cure.</p><dl>{entries}</dl></body></html>"
    )


def markdown() -> str:
    """The same for the documentation."""
    lines = [f"| `{code}` | {status} | {meaning} |" for code, (status, meaning) in sorted(CODES.items())]
    head = (
        "# Errors of the HTTP API\n\nEvery error is a problem ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), "
        "sent as\n`application/problem+json`: `code` is its stable name, `detail` tells what happened and the cure, "
        "`type` leads\nto its entry at `/problems` of each worker.\n\n| code | status | |\n|---|---|---|\n"
    )
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/errors.md").write_text(markdown(), "utf-8")
