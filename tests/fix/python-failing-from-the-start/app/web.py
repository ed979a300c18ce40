"""Requests in, answers out."""

from urllib.parse import parse_qs

ROUTES = {}


def route(path):
    def keep(handler):
        ROUTES[path] = handler
        return handler

    return keep


def application(environ, start_response):
    handler = ROUTES.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [])
        return [b"not found"]
    values = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    status, body = handler({name: value[-1] for name, value in values.items()})
    start_response(status, [("Content-Type", "text/plain")])
    return [body.encode()]
