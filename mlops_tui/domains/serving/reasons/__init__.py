"""Why a model answered as it did: what each input added to an answer, and the rows of its training it is nearest to."""
