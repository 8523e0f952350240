"""The glossary: one catalogue of the system's terms in Chinese and English.

A **term** is a word that people meet in the interface, in the data or in the documentation and that
must mean the same in all three: its stable code, its name and a one-sentence definition in both
languages, its **topic**, and the row of the feature table it belongs to. Where the TM Forum's
information model (SID) has a name for the thing, the English name is that one, or the definition
adds it as "(SID: ...)" where operators say it otherwise.

The catalogue is ``terms.csv`` beside this docstring. It changes only with a release, nothing writes
it at run time, and ``docs/glossary.md`` is rendered from it. A code, once released, is never reused
for another meaning: interfaces and reports may hold on to it.
"""

from shared.capability import Capability
from shared.glossary.endpoints import router
from shared.kernel.language import Text

capability = Capability(
    name="glossary", summary=Text("The terms of the system", "术语表"), routers=(router,)
)
