"""The audit of an initialiser: what it returns, against the law that it claims, and the likeliest cause if they differ."""

from varprop.verification.audit.auditing import audit
from varprop.verification.audit.result import Audit

__all__ = ["Audit", "audit"]
